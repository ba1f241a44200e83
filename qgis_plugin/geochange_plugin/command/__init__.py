"""The command `geochange`: where it is, how it is called, and what it says. No QGIS in here."""
