"""What every request and answer has in common: the client, access, URLs, headers, errors."""
