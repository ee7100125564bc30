"""Insights: what users with poor quality have in common, from figures of each minute."""
