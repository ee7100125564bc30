"""JSON routes under /report, downloads, health and metrics."""
