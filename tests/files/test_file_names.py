"""Addresses in records hold no secret; everything else stays."""

from __future__ import annotations

import pytest

from geochange.files.file_names import without_secrets


@pytest.mark.parametrize(
    ("name", "recorded"),
    [
        ("https://me:hush@x.org/a.tif", "https://x.org/a.tif"),
        ("https://hush@x.org/a.tif", "https://x.org/a.tif"),
        ("/vsicurl/https://me:hush@x.org/a.tif", "/vsicurl/https://x.org/a.tif"),
        ("https://x.org/a.tif?X-Amz-Date=1&X-Amz-Signature=hush", "https://x.org/a.tif"),
        ("https://x.org/a.tif?st=1&se=2&sig=hush", "https://x.org/a.tif"),
        ("https://x.org/a.tif?access_token=hush", "https://x.org/a.tif"),
        ("https://x.org/a.tif?apikey=hush", "https://x.org/a.tif"),
    ],
)
def test_secrets_are_left_out(name: str, recorded: str) -> None:
    assert without_secrets(name) == recorded


@pytest.mark.parametrize(
    "name",
    [
        *("/data/a.tif", "/data/me@home/a?sig=1.tif", "b/https://me@x", "C:/a.tif"),
        *("https://x.org/a.tif", "https://x.org/get?file=a.tif&band=1", "s3://bucket/a@b.tif"),
    ],
)
def test_other_names_stay(name: str) -> None:
    assert without_secrets(name) == name
