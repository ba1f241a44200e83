"""Credentials for servers come from GDAL's own environment variables."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from makers import make_raster, noise

from geochange.errors import InputError
from geochange.raster.access import retry
from geochange.raster.sources.resolve import inspect_source

pytestmark = pytest.mark.slow

KEY = "let-me-in"


class Guarded(SimpleHTTPRequestHandler):
    """Serves a folder to requests with the key."""

    def send_head(self) -> Any:
        if self.headers.get("X-Key") != KEY:
            self.send_error(403)
            return None
        return super().send_head()

    def log_message(self, *words: Any) -> None:
        pass


@pytest.fixture
def address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(retry, "sleep", lambda pause_s: None)
    make_raster(tmp_path / "a.tif", noise((8, 9, 3)))
    item = {"type": "Feature", "properties": {}, "assets": {"a": {"href": "a.tif"}}}
    (tmp_path / "item.json").write_text(json.dumps(item))
    server = ThreadingHTTPServer(
        ("127.0.0.1", 0), lambda *given: Guarded(*given, directory=str(tmp_path))
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("name", ["a.tif", "item.json"])
def test_a_key_in_the_environment_opens(
    name: str, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GDAL_HTTP_HEADERS", f"X-Other: 1,X-Key: {KEY}")
    info = inspect_source(f"{address}/{name}")
    assert (info.data_bands, info.path) == ((1, 2, 3), f"{address}/a.tif")


@pytest.mark.parametrize("name", ["a.tif", "item.json"])
def test_without_it_the_door_stays_shut(name: str, address: str) -> None:
    with pytest.raises(InputError, match="403") as refused:
        inspect_source(f"{address}/{name}")
    assert "\n" not in str(refused.value)
