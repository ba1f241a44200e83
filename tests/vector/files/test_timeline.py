"""Changes of several pairs in one file for QGIS's temporal controller."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
import shapely
from makers import UTM
from qgis_python import need_qgis, run_qgis_python

from geochange.errors import InputError, OutputError
from geochange.vector.files.timeline import Span, write_timeline
from geochange.vector.files.writers import empty_changes, table_of

SCRIPT = """
import sys
from qgis.core import QgsApplication, QgsProject, QgsVectorLayer
app = QgsApplication([], False)
app.initQgis()
project = QgsProject.instance()
assert project.read("geopackage:" + sys.argv[1] + "?projectName=changes")
(layer,) = project.mapLayers().values()
alone = QgsVectorLayer(sys.argv[1] + "|layername=changes", "changes", "ogr")
alone.loadDefaultStyle()
assert alone.temporalProperties().isActive()
times = layer.temporalProperties()
print(times.isActive(), int(times.mode()), times.startField(), times.endField(),
      layer.fields()[layer.fields().indexOf("date_from")].typeName(), layer.renderer().type(),
      layer.featureCount())
del layer, times, alone
project.clear()
app.exitQgis()
"""


def span(start: str, end: str, *sides: float) -> Span:
    shapes = [shapely.box(500_000, 5_000_000, 500_000 + side, 5_000_000 + side) for side in sides]
    if not shapes:
        return Span(date.fromisoformat(start), date.fromisoformat(end), empty_changes(UTM))
    plain = {"id": range(1, len(sides) + 1), "area_m2": sides, "perimeter_m": sides}
    sure = {"confidence_mean": [0.9] * len(sides), "confidence_max": [0.9] * len(sides)}
    changes = table_of({**plain, **sure, "touches_edge": [False] * len(sides)}, shapes, UTM)
    return Span(date.fromisoformat(start), date.fromisoformat(end), changes)


YEARS = [span("2021-05-01", "2022-05-03", 30, 40), span("2022-05-03", "2023-05-02", 50)]


def test_changes_carry_their_dates(tmp_path: Path) -> None:
    import geopandas as gpd

    assert write_timeline(YEARS, tmp_path / "all.gpkg") == 3
    rows = gpd.read_file(tmp_path / "all.gpkg", layer="changes")
    assert rows["id"].tolist() == [1, 2, 3]
    assert [str(day)[:10] for day in rows.date_from] == ["2021-05-01"] * 2 + ["2022-05-03"]
    assert sorted(tmp_path.iterdir()) == [tmp_path / "all.gpkg"]


def test_no_changes_are_a_file_too_and_no_span_is_none(tmp_path: Path) -> None:
    assert write_timeline([span("2021-05-01", "2022-05-03")], tmp_path / "all.gpkg") == 0
    with pytest.raises(InputError, match="no changes to write"):
        write_timeline([], tmp_path / "none.gpkg")
    with pytest.raises(OutputError, match=r"end its name in \.gpkg"):
        write_timeline(YEARS, tmp_path / "all.fgb")


@pytest.mark.slow
@pytest.mark.qgis
def test_qgis_plays_it(tmp_path: Path) -> None:
    write_timeline(YEARS, tmp_path / "all.gpkg")
    need_qgis()
    told = run_qgis_python("-c", SCRIPT, str(tmp_path / "all.gpkg"))
    lines = told.stdout.splitlines()
    assert lines[0] == "True 2 date_from date_to DateTime graduatedSymbol 3", told.stdout
