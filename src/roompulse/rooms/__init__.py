"""Live rooms: their users and quality, from the reports applied so far. Pure: no I/O, no clock."""
