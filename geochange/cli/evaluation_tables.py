"""Tables of `geochange evaluate` on standard output."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from geochange.cli.tables import titled_table
from geochange.land_cover import IOU_OF_CLASS

if TYPE_CHECKING:
    from geochange.workflows.compare import Comparison
    from geochange.workflows.evaluate import Evaluation

FIGURES = {
    "iou": "IoU of change",
    "f1": "F1 of change",
    "precision": "precision",
    "recall": "recall",
    "accuracy": "overall accuracy",
    "miou": "mean IoU of both classes",
    "kappa": "Cohen's kappa",
}
"""Figures of pixels in the order of the table, with their names."""


SEMANTIC_FIGURES = {
    "sek": "SeK of classes",
    "fscd": "F_scd of classes",
    "scd_miou": "mIoU of change and none",
    "scd_score": "score, 0.3 mIoU + 0.7 SeK",
}
"""Figures of the classes of both dates, with their names."""


def class_rows(figures: Mapping[str, float]) -> dict[str, str]:
    """The figures of classes as rows of a table, at a probability of 0.5; none without classes."""
    rows = {
        f"{label}, at 0.5": f"{figures[name]:.3f}"
        for name, label in SEMANTIC_FIGURES.items()
        if name in figures
    }
    own = {
        name.removeprefix(IOU_OF_CLASS): x
        for name, x in figures.items()
        if name.startswith(IOU_OF_CLASS)
    }
    return rows | {f"IoU of {name.replace('_', ' ')}": f"{x:.3f}" for name, x in own.items()}


def show_evaluation(found: Evaluation) -> None:
    """Show each figure with its interval."""
    title = f"{len(found.chips):,} chips of {found.options.split}, threshold {found.threshold:.3g}"
    table = titled_table(title, "figure", "value", "95 % interval")
    boundary = {"boundary_f1": f"boundary F1, {found.options.tolerance} px"}
    semantic = SEMANTIC_FIGURES if found.semantic else {}
    shown = FIGURES | boundary | {"ece": "calibration error (ECE)"} | semantic
    for name, label in shown.items():
        figure = found.figures[name]
        between = "" if figure.low is None else f"{figure.low:.4f} to {figure.high:.4f}"
        table.add_row(label, f"{figure.value:.4f}", between)
    Console().print(table)
    if found.semantic is not None:
        table = titled_table(
            "Classes of changed pixels, both dates", "class", "IoU", "F1", "pixels"
        )
        for name, own in found.semantic.by_class(found.classes).items():
            table.add_row(Text(name), f"{own['iou']:.4f}", f"{own['f1']:.4f}", f"{own['pixels']:,}")
        Console().print(table)


def show_comparison(comparison: Comparison) -> None:
    """Show pixels and boundaries, then objects by size, one table for each IoU."""
    console, figures = Console(), comparison.pixels.figures()
    table = titled_table("Pixels", "figure", "value")
    for name, label in FIGURES.items():
        table.add_row(label, f"{figures[name]:.4f}")
    label = f"boundary F1, {comparison.tolerance_px} px"
    table.add_row(label, f"{comparison.boundary.f1:.4f}")
    console.print(table)
    for iou, sizes in comparison.objects.items():
        title = f"Polygons that share {iou:.0%} and more (IoU)"
        table = titled_table(title, "size", "found", "reference", "precision", "recall", "F1")
        for size, counts in sizes.items():
            told = (f"{value:.3f}" for value in counts.figures().values())
            table.add_row(size, f"{counts.found:,}", f"{counts.reference:,}", *told)
        console.print(table)
    for file, count in comparison.left_out.items():
        if count:
            console.print(f"{file}: {count:,} polygons lie elsewhere and are left out")
