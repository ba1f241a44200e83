"""A minimal STAC API: a landing page, and a search that returns its items."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

CONFORMS = [
    f"https://api.stacspec.org/v1.0.0/{part}" for part in ("core", "collections", "item-search")
]


def item(name: str, moment: str, clouds: float, folder: str) -> dict[str, Any]:
    """An item with its JSON at FOLDER/NAME.json and its raster at FOLDER/NAME.tif."""
    ring = [[8.9, 44.9], [9.1, 44.9], [9.1, 45.2], [8.9, 45.2], [8.9, 44.9]]
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": name,
        "collection": "scenes",
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "bbox": [8.9, 44.9, 9.1, 45.2],
        "properties": {"datetime": moment, "eo:cloud_cover": clouds},
        "links": [{"rel": "self", "href": f"{folder}/{name}.json", "type": "application/geo+json"}],
        "assets": {"visual": {"href": f"{folder}/{name}.tif", "roles": ["data"]}},
    }


@contextmanager
def serving(items: Sequence[dict[str, Any]]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """The address of an API with these items, and the requests that it received."""
    asked: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            links = [
                {"rel": "self", "href": url, "type": "application/json"},
                {"rel": "root", "href": url, "type": "application/json"},
                *(
                    {"rel": "search", "href": f"{url}/search", "method": verb}
                    | {"type": "application/geo+json"}
                    for verb in ("GET", "POST")
                ),
            ]
            about = {"type": "Catalog", "id": "api", "description": "a test", "links": links}
            self._say(about | {"stac_version": "1.0.0", "conformsTo": CONFORMS})

        def do_POST(self) -> None:
            asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self._say({"type": "FeatureCollection", "features": list(items), "links": []})

        def _say(self, values: dict[str, Any]) -> None:
            body = json.dumps(values).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *words: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield url, asked
    finally:
        server.shutdown()
        server.server_close()
