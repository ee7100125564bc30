"""Simulated calls: rooms of participants whose figures vary like real ones, some of them impaired by troubles."""
