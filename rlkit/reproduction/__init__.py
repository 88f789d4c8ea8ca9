"""Behind scripts/reproduce.py: the experiments, their runs, and the page made from their results."""
