"""ACCOUNT: what people are told and shown of a run, from what it found."""
