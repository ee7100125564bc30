"""Calls over bad links: their figures, and the users that verdicts name."""
