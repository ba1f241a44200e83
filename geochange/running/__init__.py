"""RUNNING: the parts of `run` between its checks and its outputs."""
