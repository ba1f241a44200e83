"""The panel in which changes are accepted and rejected by single keys."""
