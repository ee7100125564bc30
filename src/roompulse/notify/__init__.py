"""Sending alerts: channels, the outbox, and where messages may go."""
