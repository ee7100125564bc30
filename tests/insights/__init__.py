"""Insights and trends: from samples of live users to answers."""
