"""ClassFigures: the counts of the classes of both dates, and their figures by name."""

from __future__ import annotations

from dataclasses import dataclass, replace

from geochange.land_cover import IOU_OF_CLASS
from geochange.models.prompts import Names
from geochange.training.fabric_devices import Fabric, sum_over_processes
from geochange.training.metrics.semantic import SemanticCounts


@dataclass(frozen=True)
class ClassFigures:
    """The counts of classes with their names. Those on parts of the chips add up."""

    names: Names
    counts: SemanticCounts

    @classmethod
    def none(cls, names: Names) -> ClassFigures:
        """No pixels yet."""
        return cls(names, SemanticCounts.none(len(names)))

    def __add__(self, other: ClassFigures | None) -> ClassFigures:
        return self if other is None else replace(self, counts=self.counts + other.counts)

    def over(self, fabric: Fabric) -> ClassFigures:
        """The sum over all processes."""
        return replace(self, counts=SemanticCounts(sum_over_processes(fabric, self.counts.matrix)))

    def figures(self) -> dict[str, float]:
        """Those of all classes, and the IoU of each, by their names in the journal and the card."""
        by_class = self.counts.by_class(self.names)
        own = {
            IOU_OF_CLASS + name.replace(" ", "_"): each["iou"] for name, each in by_class.items()
        }
        return {**self.counts.figures(), **own}
