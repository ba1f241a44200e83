"""QGIS: the schema of changes, styles and projects, written as XML without QGIS."""
