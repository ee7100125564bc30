"""Who may post, read and operate: keys, room tokens, operators and their sign-ins."""
