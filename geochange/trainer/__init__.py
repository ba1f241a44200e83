"""TRAINER: what `train` does around its steps: preparation, class names, checkpoints, validation."""
