"""Networks, encoders and distributions."""
