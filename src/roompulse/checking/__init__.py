"""Checks of a configuration, a machine and a database, to find problems before they occur at night."""
