"""Networks of other pixels than RGB in 0-255: their bands, in the card, in the network and shown."""
