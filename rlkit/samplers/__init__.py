"""Data collection: many episodes at a time."""
