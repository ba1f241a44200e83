"""A made-up landscape photographed at two dates, with every change between them known."""

from geochange.landscape.scene import PIXEL_M, Landscape, PlantedChange, make_landscape

__all__ = ["PIXEL_M", "Landscape", "PlantedChange", "make_landscape"]
