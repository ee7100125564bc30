"""Ingest: reports are committed together, then shown, then acknowledged."""
