"""Files: written whole or not at all, where they go, and what lies beside them."""
