"""What SDKs post: the report's model, its decoding, and the envelope of every JSON answer."""
