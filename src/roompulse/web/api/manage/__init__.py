"""What managers do besides alerts: erase, and share pages."""
