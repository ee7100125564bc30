"""PostgreSQL, which any number of workers use at once: the tables, the log of reports, and what runs in one of them."""
