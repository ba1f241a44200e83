"""Metrics: counts, boundaries, intervals and calibration."""
