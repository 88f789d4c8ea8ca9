"""Starting things: training, trained agents, simulations."""
