"""JOURNALS: where the measurements of a training go as it runs."""
