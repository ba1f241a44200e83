"""TRAINER: what `train` prepares, names, keeps and measures around the steps themselves."""
