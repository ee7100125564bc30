"""Incoming reports: how many, and what is wrong with them. Without any I/O."""
