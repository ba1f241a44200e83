"""Build the QGIS plugin as a zip that QGIS installs: `python qgis_plugin/build.py`.

It is written to build/geochange_plugin.zip and checked by the rules of the official repository of
plugins. What the project holds once (licence, pipelines, tested versions) is copied into it.
"""

from __future__ import annotations

import argparse
import configparser
import io
import re
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
NAME = "geochange_plugin"
SOURCE = ROOT / "qgis_plugin" / NAME
ZIP = ROOT / "build" / f"{NAME}.zip"

COPIED = (
    "LICENSE",
    "constraints.txt",
    "pipelines/finetune.py",
    "pipelines/monitor.py",
    "configs/finetune.yaml",
)
"""Files of the project that the plugin runs or shows."""

KINDS = {".py", ".txt", ".svg", ".qml", ".yaml", ""}
"""Suffixes of what may be in the zip: text, nothing else."""

NEEDED = (
    *("name", "description", "about", "version", "qgisMinimumVersion", "author", "email"),
    *("homepage", "tracker", "repository", "icon"),
)
LARGEST_BYTES = 25_000_000
NOWHERE = "https://example.org/geochange"
"""The repository as long as nobody has named it."""

MADE = (2026, 1, 1, 0, 0, 0)
"""One time for all files: the same source gives the same zip."""


def main() -> None:
    """Write the zip."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=ZIP, help="the zip to write")
    parser.add_argument("--repository", default=NOWHERE, help="address of the source code")
    parser.add_argument("--email", default="nobody@example.org", help="of the authors")
    given = parser.parse_args()
    packed = pack(given.repository, given.email)
    if faults := list(faults_of(packed)):
        sys.exit("\n".join(f"build.py: {fault}" for fault in faults))
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_bytes(packed)
    print(f"{given.out}  {len(packed) / 1000:,.0f} kB, version {version()}")
    if given.repository == NOWHERE:
        print("before you publish it, name --repository and --email; see qgis_plugin/PUBLISHING.md")


def pack(repository: str = NOWHERE, email: str = "nobody@example.org") -> bytes:
    """The zip of the plugin."""
    words = {"@VERSION@": version(), "@REPOSITORY@": repository, "@EMAIL@": email}
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in sorted(files()):
            if name == "metadata.txt":
                for word, value in words.items():
                    content = content.replace(word.encode(), value.encode())
            entry = zipfile.ZipInfo(f"{NAME}/{name}", MADE)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content)
    return packed.getvalue()


def files() -> Iterator[tuple[str, bytes]]:
    """The names of all files in the folder of the plugin, with what they hold."""
    for path in SOURCE.rglob("*"):
        if path.is_file() and path.suffix != ".pyc":
            yield path.relative_to(SOURCE).as_posix(), path.read_bytes()
    for name in COPIED:
        yield name, (ROOT / name).read_bytes()


def version() -> str:
    """The version of geochange, which is that of the plugin."""
    text = (ROOT / "geochange" / "__init__.py").read_text("utf-8")
    found = re.search(r'^__version__ = "(.+)"$', text, flags=re.MULTILINE)
    assert found is not None
    return found[1]


def faults_of(packed: bytes) -> Iterator[str]:
    """What the official repository would refuse, one line each.

    The rules are those of plugins.qgis.org/docs/publish and of its validator.
    """
    if len(packed) > LARGEST_BYTES:
        yield f"the zip is larger than {LARGEST_BYTES / 1e6:.0f} MB"
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        names = archive.namelist()
        yield from _faults_of_names(names)
        for needed in ("__init__.py", "metadata.txt", "LICENSE"):
            if f"{NAME}/{needed}" not in names:
                yield f"{needed} is missing"
                return
        yield from _faults_of_text(archive, names)
        metadata = archive.read(f"{NAME}/metadata.txt").decode("utf-8")
        yield from _faults_of_metadata(metadata, names)
        if b"def classFactory(" not in archive.read(f"{NAME}/__init__.py"):
            yield "__init__.py has no classFactory"


def _faults_of_names(names: list[str]) -> Iterator[str]:
    if {name.split("/")[0] for name in names} != {NAME} or not NAME.isidentifier():
        yield f"all files must lie in the folder {NAME}"
    for name in names:
        parts = name.split("/")
        if ".." in name or name.startswith("/"):
            yield f"{name}: leads out of the folder"
        if any(part.startswith(".") or part in ("__pycache__", "__MACOSX") for part in parts):
            yield f"{name}: hidden files and caches are refused"
        if Path(name).suffix not in KINDS:
            yield f"{name}: only {', '.join(sorted(filter(None, KINDS)))} may be in it"


def _faults_of_text(archive: zipfile.ZipFile, names: list[str]) -> Iterator[str]:
    for name in names:
        content = archive.read(name)
        try:
            content.decode("utf-8")
        except UnicodeDecodeError:
            yield f"{name}: is no text; binaries are refused"
        if b"\0" in content:
            yield f"{name}: holds a zero byte; binaries are refused"


def _faults_of_metadata(text: str, names: list[str]) -> Iterator[str]:
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # names keep their case
    parser.read_string(text)
    told = dict(parser.items("general")) if parser.has_section("general") else {}
    for name in NEEDED:
        if not told.get(name, "").strip():
            yield f"metadata.txt: {name} is missing"
    if "@" in re.sub(r"\S+@\S+", "", text):
        yield "metadata.txt: a word in @ was not replaced"
    for name in ("homepage", "tracker", "repository"):
        if not re.match(r"https?://[\w.-]+/\S+$", told.get(name, "")):
            yield f"metadata.txt: {name} is no address"
    if f"{NAME}/{told.get('icon', '')}" not in names:
        yield "metadata.txt: the icon is not in the zip"
    if "plugin" in told.get("name", "").lower():
        yield "metadata.txt: the name must not hold the word plugin"
    if re.search(r"[\r\n]", told.get("description", "")):
        yield "metadata.txt: the description must be one line"


if __name__ == "__main__":
    main()
