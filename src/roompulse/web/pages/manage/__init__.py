"""Operators' actions besides alerts: notes, shares, erasing."""
