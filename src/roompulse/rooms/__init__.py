"""Live rooms: who is in which room and how well, from the reports applied so far. Pure: no I/O, no clock."""
