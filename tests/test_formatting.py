"""Numbers with units for people."""

from __future__ import annotations

import pytest

from geochange.formatting import area, day, distance, duration, lonlat, share


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (area(9_999.4), "9,999 m²"),
        (area(123_456), "12.35 ha"),
        (area(1_234_567_890), "1,234.57 km²"),
        (distance(9_999), "9,999 m"),
        (distance(12_345), "12.3 km"),
        (share(0), "0 %"),
        (share(0.00001), "under 0.01 %"),
        (share(0.0616), "6.16 %"),
        (share(0.934), "93.4 %"),
        (share(1), "100.0 %"),
        (duration(8.44), "8.4 s"),
        (duration(600), "10.0 min"),
        (duration(7_260), "2 h 1 min"),
        (lonlat((-98.00216, 30.15884)), "30.15884° N, 98.00216° W"),
        (lonlat((11.5, -48.25)), "48.25000° S, 11.50000° E"),
        (day("2016-07-07"), "7 July 2016"),
        (day("2016-07-07T10:30:00"), "7 July 2016, 10:30"),
        (day("2016-07-07T10:30:00+00:00"), "7 July 2016, 10:30 UTC"),
        (day("last summer"), "last summer"),
    ],
)
def test_numbers_are_written_with_units(said: str, words: str) -> None:
    assert said == words
