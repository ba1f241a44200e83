"""`geochange models`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.table import Table

from geochange.cli.tables import plain, titled_table
from geochange.models.weights.locate import FOLDER_ENV, list_weights

if TYPE_CHECKING:
    from geochange.models.catalogue import KnownModel


OTHERS = "Others: --model FILE.pth, FILE.safetensors, FILE.onnx or package.module:Class"


@click.command(epilog="Example: geochange models")
@click.option("--json", "as_json", is_flag=True, help="print a list of JSON objects, one a model")
def models(as_json: bool) -> None:
    """Show the models that come with geochange, and what each is made for.

    F1 is that of the pixels of change, polygons against labels that nothing was trained on. False
    alarms are the share of pixels that are called changed where hardly anything changed. Speed is in
    megapixels of ground a second on two cores.

    Other networks: --model FILE.pth or FILE.safetensors (ChangeCLIP; `geochange weights show`),
    FILE.onnx (any network), package.module:Class (your own).
    """
    from geochange.models.catalogue import DEFAULT, KNOWN  # imports pydantic

    if as_json:
        listed = [
            {"model": name, "default": name == DEFAULT, **model.to_json()}
            for name, model in KNOWN.items()
        ]
        click.echo(json.dumps(listed, ensure_ascii=False))
        return
    console = Console()
    console.print(_figures(KNOWN))
    for name, model in KNOWN.items():
        usual = ", the default" if name == DEFAULT else ""
        learnt = f"learnt from {model.data}" if model.data else "without training"
        console.print(plain(f"{name}{usual}: {model.about}; {learnt}; licence {model.licence}"))
    console.print(plain(OTHERS))
    if found := list_weights():
        console.print(plain(f"{FOLDER_ENV}: {len(found)} files (geochange weights list)"))


def _figures(known: Mapping[str, KnownModel]) -> Table:
    from geochange.models.catalogue import range_text

    sets = list(next(iter(known.values())).figures.f1)
    table = titled_table("Models", "--model", "pixels", "bands", *sets, "false alarms", "Mpx/s")
    for name, model in known.items():
        figures = model.figures
        table.add_row(
            plain(name),
            range_text(model.pixels_m) if model.pixels_m else "any",
            ", ".join(model.bands) or "any",
            *(f"{share:.3f}" for share in figures.f1.values()),
            f"{figures.false_alarms:.1%}",
            f"{figures.mpx_per_s:g}",
        )
    return table
