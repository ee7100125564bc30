"""Calls, live and ended: who was there, and how it went for each user."""
