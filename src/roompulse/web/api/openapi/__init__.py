"""The OpenAPI document and JSON Schema of /report."""
