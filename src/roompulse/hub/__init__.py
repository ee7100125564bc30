"""The hub: who watches which room, and what they are sent when it changes."""
