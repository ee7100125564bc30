"""Calls over bad links: what is measured of them, and whom the verdict names."""
