"""Replay and encoder buffers."""
