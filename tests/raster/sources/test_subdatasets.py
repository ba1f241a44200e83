"""Containers: their subdatasets are listed with names to copy, usable ones first."""

from __future__ import annotations

import shlex
from pathlib import Path

import numpy as np
import pytest
import rasterio.shutil
from affine import Affine
from containers import SHAPE, make_netcdf
from makers import LONLAT, make_raster, noise

from geochange.errors import InputError
from geochange.raster.reader import opened
from geochange.raster.sources.resolve import inspect_source, source_of

GEOGRAPHIC = Affine(0.01, 0, 9, 0, -0.01, 45)


def cures(refused: pytest.ExceptionInfo[InputError]) -> list[str]:
    said = str(refused.value)
    assert "\n" not in said
    return shlex.split(said.partition("between: ")[2].replace(", ", " "))


def test_the_variables_of_a_netcdf_are_listed_and_each_can_be_named(tmp_path: Path) -> None:
    path = make_netcdf(tmp_path / "two.nc", ("red", "green"))
    told = "holds no band of its own; name one of its 2 subdatasets as GDAL writes them"
    with pytest.raises(InputError, match=told) as refused:
        inspect_source(path)
    names = cures(refused)
    assert names == [f'NETCDF:"{path}":red', f'NETCDF:"{path}":green']
    for number, name in enumerate(names):
        assert inspect_source(name).grid.shape == SHAPE
        with opened(source_of(name)) as dataset:
            np.testing.assert_array_equal(dataset.read(1), noise(SHAPE, number))
    stack = inspect_source(" + ".join(names))
    with opened(stack.path) as dataset:
        np.testing.assert_array_equal(dataset.read(2), noise(SHAPE, 1))


def test_a_name_of_gdal_holds_in_every_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_netcdf(tmp_path / "a b.nc", ("red", "green"))
    monkeypatch.chdir(tmp_path)
    for name in ('NETCDF:"a b.nc":red', "NETCDF:a b.nc:red", "netcdf:a b.nc:red"):
        found = source_of(name)
        assert str(path) in found and found.endswith(":red")
        monkeypatch.chdir(tmp_path.parent)
        assert inspect_source(found).grid.shape == SHAPE
        monkeypatch.chdir(tmp_path)
    assert source_of("NETCDF:gone.nc:red") == "NETCDF:gone.nc:red"


@pytest.fixture
def hdf5(tmp_path: Path) -> Path:
    """Two variables, georeferenced as CF has it."""
    path = make_raster(tmp_path / "a.tif", noise((*SHAPE, 2), dtype=np.float32), LONLAT, GEOGRAPHIC)
    rasterio.shutil.copy(path, tmp_path / "a.nc", driver="netCDF", FORMAT="NC4")
    return (tmp_path / "a.nc").rename(tmp_path / "a.h5")


def test_an_hdf5_file_is_named_as_the_driver_sees_it_that_knows_where_it_lies(hdf5: Path) -> None:
    with pytest.raises(InputError, match="holds no band of its own") as refused:
        inspect_source(hdf5)
    names = cures(refused)
    assert names == [f'NETCDF:"{hdf5}":Band{band}' for band in (1, 2)]
    info = inspect_source(names[0])
    assert info.grid.crs == LONLAT and info.grid.transform.almost_equals(GEOGRAPHIC)
    with pytest.raises(InputError, match="has no georeference as HDF5; name one of") as refused:
        inspect_source(f'HDF5:"{hdf5}"://Band1')
    assert cures(refused) == names


def test_subdatasets_without_a_place_are_said_to_be_so(tmp_path: Path) -> None:
    axes = ("row", "col")
    path = make_netcdf(tmp_path / "a.nc", ("red", "green"), axes, units=None)
    with pytest.raises(InputError, match="its subdatasets have no georeference") as refused:
        inspect_source(path)
    assert f"""-a_ullr X Y X Y 'NETCDF:"{path}":red'""" in str(refused.value)


def test_a_quote_sign_in_the_name_is_one_too_many(tmp_path: Path) -> None:
    path = make_netcdf(tmp_path / 'a".nc', ("red", "green"))
    with pytest.raises(InputError, match="GDAL cannot name its subdatasets"):
        inspect_source(path)
    path.rename(tmp_path / "a.nc")  # the cure
    assert inspect_source(f'NETCDF:"{tmp_path}/a.nc":red').grid.shape == SHAPE


def test_many_are_cut_short(tmp_path: Path) -> None:
    path = make_netcdf(tmp_path / "a.nc", tuple(f"b{number}" for number in range(20)))
    with pytest.raises(InputError, match=r"one of its 20 subdatasets .* and 16 more$"):
        inspect_source(path)
