"""Parts shared by all requests and answers: the client, access, URLs, headers, errors."""
