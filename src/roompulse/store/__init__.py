"""The database: samples as they were reported, snapshots of rooms, their migrations and retention."""
