"""The agent and the PEARL update."""
