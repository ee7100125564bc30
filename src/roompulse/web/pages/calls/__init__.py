"""Calls, live and ended: their list, the report on one, and users who were in them."""
