"""The cost of roompulse, side by side with alternatives: `make bench`, docs/performance.md."""
