"""Parts of sim_policy.py: the run that is simulated, and its films."""
