"""The hub: which viewers watch which room, and the frames sent to them when it changes."""
