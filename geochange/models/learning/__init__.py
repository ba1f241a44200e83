"""Learning: networks as they are trained, with their labels and losses."""
