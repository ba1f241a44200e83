"""Plans a run: chooses the model, samples and inspects the scene, and fixes what all tiles share."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from math import sqrt

from geochange.config import RunOptions
from geochange.grid.probability_bytes import threshold_byte
from geochange.inputs.choose_engine import choose_engine
from geochange.inputs.choose_model import choose_model
from geochange.inputs.inspection import Comparison, Inspection, coregister, inspect_scene
from geochange.inputs.prepared_run import CheckedRun
from geochange.inputs.read_failure_messages import warn_unsampled
from geochange.land_cover import LIKELY_CHANGE
from geochange.models import ModelSpec, cached_scene_model
from geochange.models.catalogue import scope_of
from geochange.models.inference.prediction import (
    class_colours_of,
    classes_of,
    confidence_of,
    land_classes_of,
    naming_of,
)
from geochange.models.protocol import SceneModel
from geochange.raster.scene.decibels import Decibels
from geochange.raster.scene.sampling import SceneSample, warn_fills
from geochange.report.run.picture_size import picture_px
from geochange.running.confidence import confidence_for
from geochange.running.plan.active_tiles import register_area
from geochange.running.plan.run_spec import RunSpec
from geochange.running.polygon_class_names import choose_classes
from geochange.vector.changes import MIN_AREA_PX
from geochange.vector.geodesic import pixel_m2

logger = logging.getLogger(__name__)


def plan_run(checked: CheckedRun) -> RunSpec:
    """Derive from the scene what all tiles share: shift, stretch, statistics."""
    options = checked.options
    # With a scheduler, the workers choose their own devices; see `spec_for_workers`.
    device = "auto" if options.scheduler else options.device
    spec = choose_model(options.model, options, device, choose_engine(options))
    logger.info("engine: %s on %s", spec.prompting.engine, spec.device)
    model, scene = _model_and_scene(checked, spec)
    only = choose_classes(options.only, classes_of(model), land_classes_of(model))
    threshold = model.threshold if options.threshold is None else options.threshold
    spec = _with_land_classes(spec, only.land, threshold)
    rule = confidence_of(model)
    if rule and only.land:
        rule = rule.of_classes()
    pixel_m = sqrt(pixel_m2(checked.pair.grid))
    sample, checks = scene or sample_and_inspect(checked)
    radiometry = sample.radiometry(checked.stretch, options.match)
    statistics = model.fit(sample.chips(radiometry))
    warn_unsampled(checked.pair, sample.unreadable)
    return RunSpec(
        pair=sample.pair,
        plan=checked.plan,
        radiometry=radiometry,
        spec=replace(spec, statistics=statistics),
        taper=options.taper,
        batch=options.batch,
        level=threshold_byte(threshold),
        folder=checked.work,
        classes=classes_of(model),
        land=land_classes_of(model),
        colours=class_colours_of(model),
        naming=naming_of(model),
        confidence=confidence_for(rule, pixel_m, options.min_confidence, options.model),
        skip_unreadable=options.skip_unreadable,
        unsampled=sample.unreadable,
        area=None if checked.area is None else register_area(checked.area),
        checks=checks,
        picture_px=picture_px(checked),
        least_px=_least_px(checked),
    )


Scene = tuple[SceneSample, Inspection | None]
"""The sample of a pair, and what was found in it."""


def _model_and_scene(checked: CheckedRun, spec: ModelSpec) -> tuple[SceneModel, Scene | None]:
    """The model, and the scene where both can be had at once.

    onnxruntime builds its graphs without the lock of Python. A class that is asked for is looked up
    in the model first, and its name refused before any pixel is read.
    """
    if not spec.without_torch or checked.options.only:
        return cached_scene_model(spec), None
    with ThreadPoolExecutor(1, "model") as pool:
        model = pool.submit(cached_scene_model, spec)
        scene = sample_and_inspect(checked)
    return model.result(), scene


def _least_px(checked: CheckedRun) -> int:
    """Regions of fewer pixels are never written, however their outlines are drawn.

    Drawing moves outlines by half a pixel or so, which a few times the area makes up for.
    """
    options = checked.options
    if options.simplify > RunOptions.model_fields["simplify"].default or options.smooth:
        return 0
    smallest = options.min_area
    least = MIN_AREA_PX if smallest is None else smallest / pixel_m2(checked.pair.grid)
    return int(least / 4)


def _with_land_classes(spec: ModelSpec, only: tuple[str, ...], threshold: float) -> ModelSpec:
    """The spec of a model that looks what stands there wherever a polygon may come to lie."""
    # Most thresholds are higher, and resume what others have begun.
    likely = threshold if threshold < LIKELY_CHANGE else None
    return replace(spec, prompting=replace(spec.prompting, only=only, likely=likely))


def sample_and_inspect(checked: CheckedRun) -> Scene:
    """The scene sample of the pair as it is processed, and the inspection of the pair."""
    sample = SceneSample(checked.pair, skip_unreadable=True, area=checked.area).with_fills_masked()
    if checked.options.skip_checks and not checked.options.coregister:
        warn_fills(sample)
        return sample, None
    how = Comparison(checked.stretch, checked.options.match, scope_of(checked.options.model))
    seen = inspect_scene(sample, how)
    if isinstance(checked.stretch, Decibels):
        seen = seen.of_radar()
    if checked.options.coregister:
        sample, seen = coregister(sample, seen)
        if seen.put_back is None and not seen.shift.trusted:
            logger.warning("--coregister: %s; nothing was moved", seen.shift.why_untrusted)
    for warning in seen.warnings:
        logger.warning("%s", warning)
    return sample, seen
