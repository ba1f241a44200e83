"""Parameters of a form from the options of the command, and their values from a filled form."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from textwrap import shorten
from typing import Any

from qgis.core import (
    NULL,
    QgsProcessingParameterBoolean,
    QgsProcessingParameterDefinition,
    QgsProcessingParameterEnum,
    QgsProcessingParameterFile,
    QgsProcessingParameterNumber,
    QgsProcessingParameterString,
)

from ..command.options import Option

ADVANCED = QgsProcessingParameterDefinition.Flag.FlagAdvanced
INTEGER = QgsProcessingParameterNumber.Type.Integer
DOUBLE = QgsProcessingParameterNumber.Type.Double

CHOSEN = ("model",)
"""Texts that a form offers as a list of their examples; a file of weights has a field of its own."""

LONGEST_LABEL = 44
"""Characters of a label: a longer one pushes the buttons of a form out of sight at its first size.

The whole help is shown under the mouse.
"""


def parameter_of(option: Option, advanced: bool) -> Any:
    """The parameter of an option."""
    parameter = _new_parameter(option)
    parameter.setHelp(option.help)
    return as_advanced(parameter) if advanced else parameter


def as_advanced(parameter: Any) -> Any:
    """The same parameter, under "Advanced"."""
    parameter.setFlags(parameter.flags() | ADVANCED)
    return parameter


def values_of(
    algorithm: Any, parameters: Mapping[str, Any], context: Any, options: Iterable[Option]
) -> dict[str, Any]:
    """The values of a filled form, by the names of options; none where nothing was filled in."""
    return {
        option.name: _value(algorithm, parameters, context, option)
        for option in options
        if is_given(parameters, option.name.upper()) or _has_default(algorithm, option)
    }


def _has_default(algorithm: Any, option: Option) -> bool:
    definition = algorithm.parameterDefinition(option.name.upper())
    return definition is not None and definition.defaultValue() not in (None, NULL, "")


def is_given(parameters: Mapping[str, Any], name: str) -> bool:
    """Whether a parameter was filled in."""
    value = parameters.get(name)
    return value is not None and value != NULL and value != ""


def _new_parameter(option: Option) -> Any:
    name, label, missing = option.name.upper(), _label(option), option.default is None
    if option.kind == "boolean":
        return QgsProcessingParameterBoolean(name, label, defaultValue=bool(option.default))
    if option.kind in ("integer", "number"):
        kind = INTEGER if option.kind == "integer" else DOUBLE
        parameter = QgsProcessingParameterNumber(name, label, kind, option.default, missing)
        if option.lowest is not None:
            parameter.setMinimum(option.lowest)
        if option.highest is not None:
            parameter.setMaximum(option.highest)
        return parameter
    if option.values:
        return QgsProcessingParameterEnum(
            name,
            label,
            options=list(option.values),
            defaultValue=option.default,
            optional=missing,
            usesStaticStrings=True,
        )
    if option.kind == "path":
        return QgsProcessingParameterFile(name, label, optional=True)
    return _text(name, label, option)


def _text(name: str, label: str, option: Option) -> Any:
    parameter = QgsProcessingParameterString(name, label, option.default, optional=True)
    if option.name in CHOSEN:
        hints = {"value_hints": list(option.examples)}
        parameter.setMetadata({"widget_wrapper": hints})
    return parameter


def _label(option: Option) -> str:
    """The name of an option with as much of its help as fits."""
    return shorten(f"{option.title}: {option.help}", LONGEST_LABEL, placeholder=" ...")


def _value(algorithm: Any, parameters: Mapping[str, Any], context: Any, option: Option) -> Any:
    name = option.name.upper()
    if option.kind == "boolean":
        return algorithm.parameterAsBool(parameters, name, context)
    if option.kind == "integer":
        return algorithm.parameterAsInt(parameters, name, context)
    if option.kind == "number":
        return algorithm.parameterAsDouble(parameters, name, context)
    if option.values:
        return algorithm.parameterAsEnumString(parameters, name, context)
    if option.kind == "path":
        return algorithm.parameterAsFile(parameters, name, context)
    text = algorithm.parameterAsString(parameters, name, context)
    return text.split() if option.many else text
