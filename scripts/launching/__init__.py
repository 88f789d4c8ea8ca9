"""Runs of launch_experiment.py as other scripts start, resume and stop them."""
