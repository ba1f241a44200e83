"""Vector files: layers, formats, GeoPackages, and what is read back from them."""
