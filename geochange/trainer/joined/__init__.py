"""What a network and a land network beside it learn together."""
