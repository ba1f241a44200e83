"""What geochange raises. A message says what was found and what cures it, in one line."""

from __future__ import annotations


class GeochangeError(Exception):
    """Base of every error geochange raises on purpose; the command turns it into exit code 2."""


class InputError(GeochangeError, ValueError):
    """A raster, vector or other input that cannot be used as it is."""


class OptionError(GeochangeError, ValueError):
    """An option whose value cannot be right."""


class OutputError(GeochangeError, OSError):
    """A place that cannot be written."""


class MissingDependencyError(GeochangeError, ImportError):
    """An optional package that the chosen option needs and that is not installed."""


class RunError(GeochangeError, RuntimeError):
    """Something broke while working on inputs that were accepted; exit code 1, nothing is hidden."""


def one_line(said: object) -> str:
    """What an error or a warning of a library says, on one line."""
    return " ".join(str(said).split())
