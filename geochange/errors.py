"""Errors of geochange. A message is one line: what was found, then the cure."""

from __future__ import annotations


class GeochangeError(Exception):
    """The base of all expected errors; the command ends with exit code 2."""


class InputError(GeochangeError, ValueError):
    """A raster, vector or other input that cannot be used as it is."""


class OptionError(GeochangeError, ValueError):
    """An option with an invalid value."""


class OutputError(GeochangeError, OSError):
    """A path that cannot be written."""


class MissingDependencyError(GeochangeError, ImportError):
    """An optional package that an option needs is not installed."""


class RunError(GeochangeError, RuntimeError):
    """A failure during work on accepted inputs; the command ends with exit code 1."""


class NotFiniteError(RunError, FloatingPointError):
    """A model that answers with NaN or infinities; no answer must pass for "no change"."""


def one_line(said: object) -> str:
    """The message of an error or warning of a library on one line."""
    return " ".join(str(said).split())
