"""Tracing: regions of pixels, joined across block borders, and their outlines."""
