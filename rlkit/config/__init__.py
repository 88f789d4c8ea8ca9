"""A run's settings: typed, read from JSON, checked."""
