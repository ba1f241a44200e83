"""What `cva` and `irmad` compute with: numpy alone, in the thread of the caller."""
