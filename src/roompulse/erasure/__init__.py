"""Erasing what is stored of a user or a room."""
