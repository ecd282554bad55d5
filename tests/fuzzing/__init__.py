"""Requests nobody would send, to see that nothing falls over."""
