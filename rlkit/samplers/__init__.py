"""Lock-step data collection."""
