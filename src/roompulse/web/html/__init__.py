"""What pages are made of: templates, assets, small charts, pagination."""
