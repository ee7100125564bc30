"""HTTP: the /report API, the pages, and the streams that keep both up to date. Handlers parse, call and answer."""
