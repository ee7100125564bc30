"""What comes in: how many reports, and what is odd about them. Without any I/O."""
