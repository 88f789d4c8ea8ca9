"""Many runs: lists and studies of them, one at a time or on Ray."""
