"""What was found, for people to read: a page, a picture, an entry for a catalogue."""
