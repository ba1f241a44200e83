"""geochange: detects changes between two georeferenced rasters and writes them as polygons."""

import importlib

# For type checkers only. `python -m geochange` runs this file while the current folder is still
# first on the path, so it imports only modules that Python has already loaded.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from geochange.cli.main import run_command
    from geochange.cli.progress_display import closing_table, say_json, screen
    from geochange.cluster.dask_clusters import cluster_address
    from geochange.config.yaml_files import parse_setting
    from geochange.errors import GeochangeError
    from geochange.models.load_model import load_model
    from geochange.training.metrics.counts import Counts
    from geochange.vector.files.timeline import Span, write_timeline
    from geochange.vector.files.writers import read_changes
    from geochange.workflows.compare import compare
    from geochange.workflows.cut_chips import cut
    from geochange.workflows.date_and_bounds import bounds_of, date_of
    from geochange.workflows.demo import make_demo_pair
    from geochange.workflows.detect import Result, check_arguments, detect
    from geochange.workflows.evaluate import evaluate
    from geochange.workflows.polygonize import polygonize
    from geochange.workflows.train import train

__version__ = "0.2.0.dev0"

_HOMES = {
    "detect": "geochange.workflows.detect",
    "check_arguments": "geochange.workflows.detect",
    "make_demo_pair": "geochange.workflows.demo",
    "polygonize": "geochange.workflows.polygonize",
    "Result": "geochange.workflows.detect",
    "GeochangeError": "geochange.errors",
    "evaluate": "geochange.workflows.evaluate",
    "compare": "geochange.workflows.compare",
    "cut": "geochange.workflows.cut_chips",
    "parse_setting": "geochange.config.yaml_files",
    "load_model": "geochange.models.load_model",
    "cluster_address": "geochange.cluster.dask_clusters",
    "train": "geochange.workflows.train",
    "run_command": "geochange.cli.main",
    "screen": "geochange.cli.progress_display",
    "say_json": "geochange.cli.progress_display",
    "closing_table": "geochange.cli.progress_display",
    "bounds_of": "geochange.workflows.date_and_bounds",
    "date_of": "geochange.workflows.date_and_bounds",
    "read_changes": "geochange.vector.files.writers",
    "Counts": "geochange.training.metrics.counts",
    "Span": "geochange.vector.files.timeline",
    "write_timeline": "geochange.vector.files.timeline",
}
"""Public names and their modules. They are loaded on first use, so `import geochange` is fast.

No module has the name of a function here, because importing it would replace the function.
"""

__all__ = [
    "Counts",
    "GeochangeError",
    "Result",
    "Span",
    "__version__",
    "bounds_of",
    "check_arguments",
    "closing_table",
    "cluster_address",
    "compare",
    "cut",
    "date_of",
    "detect",
    "evaluate",
    "load_model",
    "make_demo_pair",
    "parse_setting",
    "polygonize",
    "read_changes",
    "run_command",
    "say_json",
    "screen",
    "train",
    "write_timeline",
]


def __getattr__(name: str) -> "Any":
    if name not in _HOMES:
        raise AttributeError(f"module 'geochange' has no attribute {name!r}")
    found = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = found
    return found
