"""What the plugin raises. A message says what was found and what cures it, in one line."""

from __future__ import annotations


class PluginError(Exception):
    """Base of every error that the plugin raises on purpose."""


class SetupError(PluginError):
    """geochange is not installed for QGIS, or what is named does not run."""


class CommandError(PluginError):
    """A command ended with an error; the message is its own line."""


class CanceledError(PluginError):
    """The user ended a command."""
