"""Data collection: many paths at a time."""
