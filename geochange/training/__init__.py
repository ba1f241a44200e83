"""LEARNING: labelled chips, what is made of them, and how a network gets better at them."""
