"""The pages, each with its stream."""
