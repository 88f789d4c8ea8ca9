"""The method's loop: meta-training, evaluation and collecting (paper, algorithms 1 and 2)."""
