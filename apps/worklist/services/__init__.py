"""Verbs of the worklist, by noun: bookings, scheduled steps, performed steps."""
