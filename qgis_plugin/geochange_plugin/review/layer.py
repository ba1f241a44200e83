"""The layer that is reviewed: its changes, and saving a status at once."""

from __future__ import annotations

import itertools
from contextlib import suppress
from pathlib import Path
from typing import Any

from qgis.core import (
    QgsFeatureRequest,
    QgsProject,
    QgsVectorDataProvider,
    QgsVectorFileWriter,
    QgsVectorLayer,
)

from ..command.errors import PluginError
from .session import Change, Edit, status_of

STATUS, CONFIDENCE, MEAN, AREA, NAME = (
    *("status", "confidence", "confidence_mean"),
    *("area_m2", "change"),
)
"""Fields of the layer that `geochange run` writes. The mean counts where the confidence is null."""

CHANGE_VALUES = QgsVectorDataProvider.Capability.ChangeAttributeValues


REWRITTEN_FORMATS = ("GeoJSON", "GeoJSONSeq", "FlatGeobuf")
"""GDAL writes such a file again for each value: slowly, in another order, and without its metadata."""


def can_be_reviewed(layer: Any) -> bool:
    """Whether a layer holds changes: polygons with a status."""
    return (
        isinstance(layer, QgsVectorLayer)
        and layer.isValid()
        and layer.fields().lookupField(STATUS) >= 0
    )


def can_be_saved(layer: Any) -> bool:
    """Whether its format lets single values be changed, and is not written anew for each."""
    provider = layer.dataProvider()
    able = bool(provider.capabilities() & CHANGE_VALUES)
    return able and provider.storageType() not in REWRITTEN_FORMATS


def changes_of(layer: Any) -> list[Change]:
    """All changes of a layer."""
    names = (STATUS, CONFIDENCE, MEAN, AREA, NAME)
    fields = {name: layer.fields().lookupField(name) for name in names}
    request = QgsFeatureRequest()
    request.setSubsetOfAttributes([index for index in fields.values() if index >= 0])
    return [_change(feature, fields) for feature in layer.getFeatures(request)]


def _change(feature: Any, fields: dict[str, int]) -> Change:
    values = {name: _value(feature, index) for name, index in fields.items()}
    middle = feature.geometry().boundingBox().center()
    sure = _number(values[CONFIDENCE])
    return Change(
        id=feature.id(),
        status=status_of(values[STATUS]),
        confidence=_number(values[MEAN]) if sure is None else sure,
        area_m2=_number(values[AREA]),
        place=(middle.y(), middle.x()),
        name=str(values[NAME] or ""),
    )


def _value(feature: Any, index: int) -> Any:
    value = feature.attributes()[index] if index >= 0 else None
    return None if value is None or str(value) == "NULL" else value


def _number(value: Any) -> float | None:
    with suppress(TypeError, ValueError):
        return float(value)
    return None


def save(layer: Any, edit: Edit) -> None:
    """Write a status to the file of a layer, at once. Raises PluginError."""
    index = layer.fields().lookupField(STATUS)
    if layer.isEditable():
        # The edits of the user are saved with it: a feature that is not in the file has no status.
        done = layer.changeAttributeValue(edit.id, index, edit.new) and layer.commitChanges(False)
        reason = "; ".join(layer.commitErrors())
    else:
        done = layer.dataProvider().changeAttributeValues({edit.id: {index: edit.new}})
        reason = layer.dataProvider().error().message()
    if not done:
        raise PluginError(
            f"{layer.name()}: the status cannot be saved ({reason or 'no reason given'}); close "
            "other programs that use the file, and see whether it may be written"
        )
    layer.triggerRepaint()


def copy_to_review(layer: Any) -> Any:
    """A GeoPackage beside the file of a layer, for formats that cannot be changed; gives its layer.

    One that is there already is taken as it is: it may hold a review. Raises PluginError.
    """
    source = Path(str(layer.source()).split("|")[0])
    file = source.with_name(f"{source.stem}_review.gpkg")
    if not file.exists():
        options = QgsVectorFileWriter.SaveVectorOptions()
        options.driverName, options.layerName = "GPKG", "changes"
        context = QgsProject.instance().transformContext()
        code, reason = _write(layer, str(file), context, options)
        if code != QgsVectorFileWriter.WriterError.NoError:
            raise PluginError(f"{file}: cannot be written ({reason}); make its folder writable")
    copied = QgsVectorLayer(f"{file}|layername=changes", file.stem, "ogr")
    copied.setRenderer(layer.renderer().clone())
    return copied


def folder_to_learn_in(layer: Any) -> str:
    """A folder for a new model, beside the file of a layer: the first in which no learning has ended.

    One that was interrupted goes on in it. "" where the layer is no file.
    """
    file = Path(str(layer.source()).split("|")[0])
    if not file.is_file():
        return ""
    for number in itertools.count(1):
        folder = file.with_name(f"{file.stem}_learnt{number}")
        if not (folder / "gain.json").exists():
            break
    return str(folder)


def _write(layer: Any, file: str, context: Any, options: Any) -> tuple[Any, str]:
    told = QgsVectorFileWriter.writeAsVectorFormatV3(layer, file, context, options)
    return told[0], told[1]


def run_record_of(layer: Any) -> dict[str, str]:
    """What the table of the run in a GeoPackage says, such as the names of both rasters."""
    path = str(layer.source()).split("|")[0]
    if not path.lower().endswith(".gpkg"):
        return {}
    table = QgsVectorLayer(f"{path}|layername=geochange_run", "run", "ogr")
    if not table.isValid():
        return {}
    return {str(row["key"]): str(row["value"]) for row in table.getFeatures()}
