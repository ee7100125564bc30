"""Erasing the data of a user or a room."""
