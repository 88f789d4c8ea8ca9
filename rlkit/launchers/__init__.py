"""Starting things: training, trained agents, simulations, many runs."""
