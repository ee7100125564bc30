"""Insights and trends: from looks at live users to answers."""
