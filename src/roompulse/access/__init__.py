"""Access control: keys, room tokens, operators and their sign-ins."""
