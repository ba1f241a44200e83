"""Vector files: layers, formats, GeoPackages, and readers for files of an earlier run."""
