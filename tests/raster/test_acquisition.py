"""Dates come from the metadata of files, and else from their names."""

from __future__ import annotations

from datetime import date

import pytest

from geochange.raster.acquisition import NAME, Acquisition, acquisition_of, parse_moment


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2016-07-07", "2016-07-07"),
        ("20160504", "2016-05-04"),
        ("2012:07:01 12:30:05", "2012-07-01T12:30:05"),
        ("2020-05-06T10:11:12.123Z", "2020-05-06T10:11:12"),
        ("S2A_20160529T153631_T33UUU", "2016-05-29T15:36:31"),
        ("LC08_L1TP_034032_20160707_20170222_01", "2016-07-07"),
        ("tile_20161332", None),
        ("2015-02-30", None),
        ("1234567890", None),
        ("", None),
    ],
)
def test_a_moment_in_a_text(text: str, moment: str | None) -> None:
    assert parse_moment(text) == moment


def test_when_it_was_taken_comes_before_when_it_was_written() -> None:
    tags = {"TIFFTAG_DATETIME": "2021:01:02 03:04:05", "AcquisitionDateTime": "2016-07-07T00:01:02"}
    assert acquisition_of(tags, "a.tif") == Acquisition(
        "2016-07-07T00:01:02", "ACQUISITIONDATETIME"
    )
    del tags["AcquisitionDateTime"]
    assert acquisition_of(tags, "a_20100101.tif") == Acquisition(
        "2021-01-02T03:04:05", "TIFFTAG_DATETIME"
    )


def test_a_name_is_the_last_resort() -> None:
    found = acquisition_of(
        {"DATE": "unknown"}, "/data_20010101/S2A_20160529T153631.tif?token=20200101"
    )
    assert found == Acquisition("2016-05-29T15:36:31", NAME)
    assert found.day == date(2016, 5, 29)
    assert acquisition_of({}, "before.tif") is None
