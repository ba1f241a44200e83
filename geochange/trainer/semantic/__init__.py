"""Semantic networks: what they need before they are trained, and what is measured of them."""
