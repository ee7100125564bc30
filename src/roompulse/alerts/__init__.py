"""Alerts: rules about live rooms, users and the server, evaluated once a second on what changed."""
