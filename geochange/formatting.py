"""Numbers with units for people, and texts that are safe for a terminal."""

from __future__ import annotations

from datetime import datetime


def area(square_metres: float) -> str:
    """An area in a suitable unit."""
    if square_metres >= 1e6:
        return f"{square_metres / 1e6:,.2f} km²"
    if square_metres >= 1e4:
        return f"{square_metres / 1e4:,.2f} ha"
    return f"{square_metres:,.0f} m²"


def distance(metres: float) -> str:
    """A length in metres or kilometres."""
    return f"{metres / 1000:,.1f} km" if metres >= 10_000 else f"{metres:,.0f} m"


def share(part: float) -> str:
    """A share in per cent, with enough digits to differ from 0."""
    if part <= 0:
        return "0 %"
    percent = part * 100
    if percent < 0.01:
        return "under 0.01 %"
    return f"{percent:.2f} %" if percent < 10 else f"{percent:.1f} %"


def duration(seconds: float) -> str:
    """A duration in suitable units."""
    if seconds >= 3600:
        return f"{seconds // 3600:.0f} h {seconds % 3600 / 60:.0f} min"
    return f"{seconds / 60:.1f} min" if seconds >= 90 else f"{seconds:.1f} s"


def lonlat(point: tuple[float, float]) -> str:
    """A position as latitude and longitude, to about a metre."""
    lon, lat = point
    north, east = ("N" if lat >= 0 else "S"), ("E" if lon >= 0 else "W")
    return f"{abs(lat):.5f}° {north}, {abs(lon):.5f}° {east}"


def day(moment: str) -> str:
    """A date as 3 May 2014, with the time if it has one; other texts are unchanged."""
    try:
        when = datetime.fromisoformat(moment)
    except ValueError:
        return moment
    text = f"{when.day} {when:%B %Y}"
    if "T" not in moment and " " not in moment:
        return text
    return f"{text}, {when:%H:%M}{' UTC' if when.tzinfo and not when.utcoffset() else ''}"


def printable(text: str, instead: str = "?") -> str:
    """A text without control characters, which could control a terminal."""
    return "".join(c if c.isprintable() else instead for c in text)
