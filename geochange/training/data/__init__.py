"""Data of a training: pictures of chips, how they are drawn, varied and put into batches."""
