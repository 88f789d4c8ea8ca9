"""The buffers of all and of recent data, how contexts are drawn, and their journal."""
