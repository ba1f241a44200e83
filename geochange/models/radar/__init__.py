"""Models without training for radar: the log-ratio of two dates and its thresholds."""
