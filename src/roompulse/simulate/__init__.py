"""Simulated calls: rooms full of people whose figures wander as real ones do, some of them in trouble."""
