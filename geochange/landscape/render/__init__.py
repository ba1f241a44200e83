"""The landscape rendered: ground, buildings, trees, light and camera."""
