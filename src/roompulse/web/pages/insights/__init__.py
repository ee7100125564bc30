"""/insights: what users with poor quality have in common."""
