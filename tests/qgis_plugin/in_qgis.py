"""Runs inside QGIS: uses the plugin as a person would, and says what it saw.

    qgis --code in_qgis.py      with GEOCHANGE_TEST naming a folder that holds pair/ and what to review

It uses nothing of geochange. What it saw goes to seen.json. It ends QGIS by SIGKILL, as a crash would.
"""

import gc
import json
import os
import signal
import subprocess
import traceback
from pathlib import Path

from qgis.core import QgsApplication, QgsProcessingFeedback, QgsProject, QgsVectorLayer
from qgis.PyQt.QtCore import QTimer
from qgis.PyQt.QtTest import QTest
from qgis.PyQt.QtWidgets import QApplication, QDialog, QDockWidget, QPushButton
from qgis.utils import iface, plugins

HERE = Path(os.environ["GEOCHANGE_TEST"])
SEEN = {}


class Feedback(QgsProcessingFeedback):
    """Keeps what it is told; cancels at the first block of the run if it is asked to."""

    def __init__(self, cancel=False):
        super().__init__()
        self.shares, self.lines, self.warnings, self.cancel_it = [], [], [], cancel
        self.progressChanged.connect(self.note)

    def note(self, share):
        self.shares.append(share)

    def setProgressText(self, text):  # noqa: N802
        if self.cancel_it and text == "Looking for change":
            self.cancel()

    def pushInfo(self, text):  # noqa: N802
        self.lines.append(text)

    def pushWarning(self, text):  # noqa: N802
        self.warnings.append(text)


def detect(out, cancel=False):
    import processing

    given = {
        "BEFORE": str(HERE / "pair" / "before.tif"),
        "AFTER": str(HERE / "pair" / "after.tif"),
        "MODEL": "cva",
        "TILE": 64,
        "OVERLAP": 16,
        "BLOCK": 1,
        "OUTPUT": str(out),
    }
    feedback = Feedback(cancel)
    if cancel:
        return processing.run("geochange:detect", given, feedback=feedback), feedback
    return processing.runAndLoadResults("geochange:detect", given, feedback=feedback), feedback


def see_detect():
    out = HERE / "changes.gpkg"
    result, feedback = detect(out, cancel=True)
    SEEN["canceled"] = {
        "result": result,
        "written": out.exists(),
        "work": (HERE / ".changes.gpkg.work").is_dir(),
        "said": feedback.lines,
    }
    result, feedback = detect(out)
    SEEN["detected"] = {"result": result, "shares": feedback.shares, "said": feedback.lines}
    layer = next(iter(QgsProject.instance().mapLayers().values()))
    SEEN["loaded"] = [layer.name(), layer.renderer().type(), layer.featureCount()]
    return layer


def see_no_environment():
    kept = os.environ["GEOCHANGE_QGIS_COMMAND"]
    for name in ("/no/such/python", "/bin/false"):
        os.environ["GEOCHANGE_QGIS_COMMAND"] = name
        algorithm = QgsApplication.processingRegistry().algorithmById("geochange:polygonize")
        able, why = algorithm.canExecute()
        SEEN[name] = [able, why]
    from qgis.core import QgsProcessingContext

    context, feedback = QgsProcessingContext(), QgsProcessingFeedback()
    given = {"INPUT": str(HERE / "changes.tif"), "OUTPUT": str(HERE / "never.gpkg")}
    _, well = algorithm.create().run(given, context, feedback)
    QTest.qWait(200)
    SEEN["broken"] = [well, [item.text() for item in iface.messageBar().items()]]
    iface.messageBar().clearWidgets()
    os.environ["GEOCHANGE_QGIS_COMMAND"] = kept


def press(*keys):
    """Real keys, to whatever has the focus."""
    for key in keys:
        subprocess.run(["xdotool", "key", key], check=True, timeout=20)
        QTest.qWait(150)


def see_review(layer):
    root = Path(layer.source().split("|")[0]).parent / "pair"
    before = iface.addRasterLayer(str(root / "before.tif"), "before")
    after = iface.addRasterLayer(str(root / "after.tif"), "after")
    tree = QgsProject.instance().layerTreeRoot()
    tree.setHasCustomLayerOrder(True)
    tree.setCustomLayerOrder([layer, after, before])
    dock = plugins["geochange_plugin"].dock
    dock.show()
    dock.panel.layer.setLayer(layer)
    iface.mainWindow().activateWindow()
    iface.mapCanvas().setFocus()
    QTest.qWait(1000)
    dates = dock.panel.before.currentLayer(), dock.panel.after.currentLayer()
    SEEN["dates"] = [dates[0] is before, dates[1] is after]
    order = list(dock.session.order)
    SEEN["went"] = []
    for key in ("a", "r", "a", "z", "Right", "Left"):
        press(key)
        SEEN["went"].append(order.index(dock.session.current.id))
    SEEN["order"] = order
    counts = dock.session.counts()
    SEEN["counts"] = [counts.accepted, counts.rejected]
    shown = tree.findLayer(after.id())
    SEEN["flicker"] = [shown.isVisible()]
    press("space")
    SEEN["flicker"].append(shown.isVisible())
    press("space")
    SEEN["hidden"] = []
    for _ in range(2):
        press("h")
        SEEN["hidden"].append(tree.findLayer(layer.id()).isVisible())
    box = iface.mapCanvas().extent()
    SEEN["zoomed"] = box.contains(layer.getFeature(order[2]).geometry().boundingBox())
    dock.panel.swipe.setValue(50)
    QTest.qWait(1500)
    SEEN["swiped"] = dock.swipe.image is not None
    picture = str(HERE / "window.png")
    iface.mainWindow().grab().save(picture)
    return dock


def see_formats(dock):
    """The first change in each format that is written whole is accepted."""
    SEEN["formats"] = {}
    for name in ("geojson.geojson", "fgb.fgb"):
        layer = QgsVectorLayer(str(HERE / name), name, "ogr")
        QgsProject.instance().addMapLayer(layer)
        dock.panel.layer.setLayer(layer)
        # Hidden where the format is changed in place.
        copies = not dock.panel.copy.isHidden()
        if copies:
            dock.copy()
        dock.say("accept")
        SEEN["formats"][name] = [copies, dock.layer.source().split("|")[0]]


def see_written_anew(dock):
    """A file is written again while it is reviewed; the review goes on in the new one."""
    import processing

    given = {"INPUT": str(HERE / "changes.tif"), "OUTPUT": str(HERE / "again.gpkg")}
    processing.run("geochange:polygonize", {**given, "MIN_AREA": 1000000})
    layer = iface.addVectorLayer(str(HERE / "again.gpkg") + "|layername=changes", "again", "ogr")
    dock.panel.layer.setLayer(layer)
    QTest.qWait(500)
    counts = [dock.session.counts().all]
    processing.run("geochange:polygonize", given)
    QTest.qWait(500)
    dock.say("accept")
    SEEN["anew"] = [*counts, dock.session.counts().all]


def see_form():
    """A form that is opened from the menu runs; nothing but the plugin holds on to it."""
    from geochange_plugin.algorithms.form import given_pair, open_algorithm

    layers = QgsProject.instance().mapLayers()
    SEEN["guessed"] = {name: layers[key].name() for name, key in given_pair().items()}
    out = HERE / "by_form.geojson"
    given = {"INPUT": str(HERE / "changes.tif"), "OUTPUT": str(out)}
    open_algorithm("polygonize", given)
    gc.collect()
    forms = [w for w in QApplication.topLevelWidgets() if isinstance(w, QDialog) and w.isVisible()]
    buttons = [button for form in forms for button in form.findChildren(QPushButton)]
    next(button for button in buttons if button.text().replace("&", "") == "Run").click()
    for _ in range(600):
        if out.exists():
            break
        QTest.qWait(100)
    SEEN["by_form"] = out.exists()
    forms[0].close()


def see_reloaded():
    """The plugin is taken away and loaded again; nothing of it is there twice."""
    from qgis import utils

    done = [utils.unloadPlugin("geochange_plugin"), utils.loadPlugin("geochange_plugin")]
    QTest.qWait(200)
    done.append(utils.startPlugin("geochange_plugin"))
    docks = iface.mainWindow().findChildren(QDockWidget, "geochange_review")
    found = QgsApplication.processingRegistry().algorithmById("geochange:detect")
    SEEN["reloaded"] = [all(done), len(docks), found is not None]


def main():
    try:
        iface.mainWindow().resize(1200, 800)
        layer = see_detect()
        see_no_environment()
        dock = see_review(layer)
        see_formats(dock)
        see_written_anew(dock)
        see_form()
        see_reloaded()
    except Exception:  # noqa: BLE001 - the test reads it
        SEEN["error"] = traceback.format_exc()
    (HERE / "seen.json").write_text(json.dumps(SEEN, default=str))
    os.kill(os.getpid(), signal.SIGKILL)


QTimer.singleShot(2000, main)
