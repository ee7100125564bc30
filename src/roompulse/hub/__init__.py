"""The hub: which viewers watch which room, and the frames that they are sent when it changes."""
