"""The scene as a whole: its sample, its radiometry, and how far its dates lie apart."""
