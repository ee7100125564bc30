"""What operators do besides alerts: write notes, share pages, erase."""
