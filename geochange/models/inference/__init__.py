"""Inference: chips in batches on devices, in order, within memory."""
