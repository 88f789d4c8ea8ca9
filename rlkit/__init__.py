"""PEARL: configs, meta-training loop, buffers, samplers and networks."""
