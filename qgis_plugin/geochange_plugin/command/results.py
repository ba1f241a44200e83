"""Results of commands as lines for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

FIGURES = ("iou", "f1", "precision", "recall")
"""Figures of a comparison that a form gives as outputs, by the names of `geochange evaluate`."""


def check_lines(found: Mapping[str, Any]) -> list[str]:
    """What `geochange check` found of each date and of the pair; warnings are left to the caller."""
    lines = []
    for name in ("before", "after"):
        date = found[name]
        rows, cols = date["shape"]
        lines.append(
            f"{name}: taken {date['acquired'] or 'not said'}, {date['crs']}, {cols:,} x {rows:,} px "
            f"of {date['pixel_m']:.3g} m, {date['bands']} bands of {date['dtype']}, nodata "
            f"{date['nodata']:.1%}, like cloud {date['cloud']:.1%}"
        )
    ground = found["common_ground"]
    lines.append(
        f"common ground: {ground['km2']:,.3g} km², {ground['of_before']:.0%} of before, "
        f"{ground['of_after']:.0%} of after"
    )
    shift = found["shift_px"]
    lines.append(
        "shift of after: cannot be told"
        if shift is None
        else f"shift of after: {(shift[0] ** 2 + shift[1] ** 2) ** 0.5:.1f} px"
    )
    if not found["warnings"]:
        lines.append("Nothing speaks against comparing them.")
    return lines


def comparison_lines(found: Mapping[str, Any]) -> list[str]:
    """What `geochange evaluate` says of two files of polygons."""
    lines = [f"{name}: {found['pixels'][name]:.4f}" for name in FIGURES]
    boundary = found["boundary"]
    lines.append(f"boundary F1, {boundary['tolerance_px']} px: {boundary['f1']:.4f}")
    for file, count in found["left_out"].items():
        if count:
            lines.append(f"{file}: {count:,} polygons lie elsewhere and are left out")
    return lines


def gain_lines(gain: Mapping[str, Mapping[str, float]]) -> list[str]:
    """What learning brought: figures before and after it, on chips that were not learnt from."""
    before, after = gain["before"], gain["after"]
    return [
        f"{name}: {before[name]:.3f} before, {after[name]:.3f} after ({after[name] - before[name]:+.3f})"
        for name in before
    ]
