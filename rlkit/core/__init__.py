"""Configuration, the meta-training loop, evaluation and output; knows neither torch nor environments."""
