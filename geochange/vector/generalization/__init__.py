"""Generalization: outlines smoothed, simplified or drawn with right angles."""
