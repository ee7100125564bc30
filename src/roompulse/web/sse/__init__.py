"""Server-sent events: their format, the stream, the push outside ASGI, the limit per address."""
