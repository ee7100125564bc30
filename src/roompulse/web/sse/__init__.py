"""Server-sent events: their form, the stream, the push past ASGI, the limit of an address."""
