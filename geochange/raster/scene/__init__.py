"""The scene as a whole: its sample, its radiometry, and the shift between its dates."""
