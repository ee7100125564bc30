"""All live rooms and their users at a glance: totals, search and order, for pages and programs alike."""
