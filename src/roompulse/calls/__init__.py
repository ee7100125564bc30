"""Calls, live and ended: their users, and the quality for each of them."""
