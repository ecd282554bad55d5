"""Sending what was stored on to other systems: rules, transfers, retries."""
