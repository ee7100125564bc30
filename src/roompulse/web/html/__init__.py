"""Parts of pages: templates, assets, small charts, pagination."""
