"""Where the work of a run is kept: a folder on a disk, or a prefix of a bucket."""
