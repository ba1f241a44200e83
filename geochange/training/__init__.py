"""TRAINING: labelled chips, how they are augmented, and how a network learns from them."""
