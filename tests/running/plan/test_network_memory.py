"""What the shipped network is said to need is what it takes."""

from __future__ import annotations

import subprocess
import sys

import pytest

from geochange.running.plan.network_memory import shipped_bytes

pytestmark = pytest.mark.slow

MEASURE = """
import sys
import numpy as np
from geochange.chip import Chip
from geochange.memory import peak_rise_bytes
from geochange.models.inference.chip_parts import LARGEST_PART_PX
from geochange.models.onnx.shipped.network import ShippedNetwork
from geochange.models.weights.locate import SHIPPED

network = ShippedNetwork(SHIPPED["changeclip-small"])

def dark(side):
    pixels = np.zeros((side, side, 3), np.uint8)
    return Chip(pixels, pixels, np.ones((side, side), np.bool_))

def look(side):
    network.predict_chip(dark(side))
    network.land(dark(min(side, LARGEST_PART_PX)))
    network.places(dark(side))

print(peak_rise_bytes(lambda: look(int(sys.argv[1]))))
"""
"""In a process of its own: what others left in one would be taken again, and not be seen."""


@pytest.mark.parametrize("tile_px", [128, 512])
def test_the_shipped_network_takes_what_is_planned(tile_px: int) -> None:
    pytest.importorskip("onnxruntime")
    answer = subprocess.run(
        [sys.executable, "-c", MEASURE, str(tile_px)], capture_output=True, text=True, check=True
    )
    planned = shipped_bytes(tile_px)
    assert 0.5 * planned < int(answer.stdout) <= planned
