"""Events: what happened in a room, and when. Found by comparing live rooms with their remembered state."""
