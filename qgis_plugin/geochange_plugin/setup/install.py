"""The steps that install geochange into an environment of its own. No QGIS in here."""

from __future__ import annotations

import json
import os
import platform as platform_module
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable

from ..command.errors import SetupError
from ..command.locate import ENVIRONMENT, done_file, python_of

OLDEST = (3, 11)
NEWEST = 14
"""Versions of Python that are looked for: 3.11 to 3.14."""

CPU, CUDA = "cpu", "cuda"

WHEELS_OF_TORCH = "https://download.pytorch.org/whl"
CUDA_TAG = "cu130"
"""What PyTorch calls its wheels for CUDA."""

TAGGED = ("torch", "torchvision")
"""Of which the wheels for x86-64 say in their version what they are for, such as 2.14.1+cpu."""

PROBE = "import sys, venv, ensurepip; print(*sys.version_info[:2])"

NO_PYTHON = (
    "no Python 3.11 or later that can make an environment was found; install one from python.org "
    "(Debian and Ubuntu: apt install python3-venv), or name it under Settings > Options > geochange"
)


@dataclass(frozen=True)
class Plan:
    """What is installed, and from where.

    python: makes the environment. folder: of the plugin in the profile. package: a name, a wheel, or
    a folder of source code. torch: CPU or CUDA. wheels: a folder to install from without a network.
    constraints: the tested versions.
    """

    python: str
    folder: Path
    package: str
    torch: str
    constraints: Path
    wheels: str | None = None

    @property
    def environment(self) -> Path:
        """The folder of the environment."""
        return self.folder / ENVIRONMENT


@dataclass(frozen=True)
class Step:
    """A step: what people read while it runs, and its words."""

    title: str
    words: tuple[str, ...]


def package_of(named: str, wheels: str) -> str:
    """What pip installs. Raises SetupError where it is not named, or is no project.

    named: by the user. wheels: a folder of them, or nothing. No name is looked for in the network
    unasked: whoever registers it first could run code here.
    """
    if wheels and not Path(wheels).is_dir():
        raise SetupError(f"{wheels}: no such folder; choose the folder of wheels again")
    if not named:
        if wheels:
            return "geochange"
        raise SetupError("geochange from is empty; choose the folder of the project, or a wheel")
    path = Path(named)
    if path.is_dir() and not (path / "pyproject.toml").is_file():
        raise SetupError(f"{named}: has no pyproject.toml; choose the folder of the project itself")
    if not path.exists() and (os.sep in named or named.endswith(".whl")):
        raise SetupError(f"{named}: no such file or folder; choose the folder of the project")
    return named


def steps_of(
    plan: Plan, platform: str = sys.platform, machine: str = platform_module.machine()
) -> list[Step]:
    """All steps, in their order. The last one checks the installation."""
    own = str(python_of(plan.environment))
    pip = (own, "-m", "pip", "install", "--disable-pip-version-check", "--progress-bar", "off")
    source = _source(plan, platform, machine)
    steps = [Step("Making the environment", (plan.python, "-m", "venv", str(plan.environment)))]
    if not plan.wheels:
        # An old pip begins a broken download of gigabytes again.
        steps.append(Step("Updating pip", (*pip, "--upgrade", "pip")))
    words = (*pip, "-c", str(plan.constraints), *source, plan.package)
    steps.append(Step("Installing geochange and PyTorch", words))
    steps.append(Step("Checking the installation", (own, "-m", "geochange", "doctor")))
    return steps


def _source(plan: Plan, platform: str, machine: str) -> tuple[str, ...]:
    """Where pip looks, and which build of PyTorch it must find there."""
    if plan.wheels:
        return ("--no-index", "--find-links", plan.wheels)
    # On PyPI are the wheels for CUDA on Linux, and those for the CPU elsewhere.
    usual = CUDA if platform.startswith("linux") else CPU
    if plan.torch == usual or platform == "darwin":
        return ()
    tag = CPU if plan.torch == CPU else CUDA_TAG
    index = ("--extra-index-url", f"{WHEELS_OF_TORCH}/{tag}")
    # Where the index cannot be reached, pip would take the other build from PyPI without a word.
    named = TAGGED if machine.lower() in ("x86_64", "amd64") else ()
    return (*index, *(f"{pin}+{tag}" for pin in _pins(plan.constraints, named)))


def _pins(constraints: Path, names: Sequence[str]) -> list[str]:
    """The lines NAME==VERSION of a file of constraints."""
    try:
        lines = constraints.read_text("utf-8").split()
    except OSError:
        return []
    return [line for line in lines if line.partition("==")[0] in names]


def remaining_steps(plan: Plan, steps: Sequence[Step]) -> list[Step]:
    """The steps that an earlier, interrupted installation of the same plan did not end."""
    if not python_of(plan.environment).is_file():
        return list(steps)
    done = _read(_notes(plan.folder))
    kept = [step for step in steps if list(step.words) in done]
    # Whatever follows a step that is not done is done again.
    return list(
        steps[next((n for n, step in enumerate(steps) if step not in kept), len(steps) - 1) :]
    )


def note_done(plan: Plan, step: Step) -> None:
    """Keep that a step has ended well."""
    done = _read(_notes(plan.folder))
    _write(_notes(plan.folder), [*done, list(step.words)])


def finish(plan: Plan) -> None:
    """Keep that the whole installation has ended well."""
    _write(done_file(plan.folder), {"package": plan.package, "torch": plan.torch})
    _notes(plan.folder).unlink()


def begin(plan: Plan) -> None:
    """An installation that is under way is none that can be used."""
    plan.folder.mkdir(parents=True, exist_ok=True)
    if done_file(plan.folder).exists():
        done_file(plan.folder).unlink()


NETWORK = "connect to the network, or choose a folder of wheels"

SITE_OF_TORCH = (
    "the site of PyTorch cannot be reached; see whether download.pytorch.org opens, or choose the "
    "other build of PyTorch, or a folder of wheels"
)

CURES = {
    "No matching distribution found for geochange": "name the folder of its source code, or a wheel, "
    "as geochange from",
    "No matching distribution found for torch": SITE_OF_TORCH,
    # So pip puts it where constraints name the same version.
    "Cannot install torch": SITE_OF_TORCH,
    "does not appear to be a Python project": "choose the folder of the project itself",
    "No space left on device": "make room where the profile of QGIS lies",
    "ensurepip": "install what venv needs (Debian and Ubuntu: apt install python3-venv)",
    "name resolution": NETWORK,
    "Failed to resolve": NETWORK,
    "Connection": NETWORK,
    "No matching distribution found": NETWORK,
}
"""What helps, by words of pip and venv."""

OF_WHEELS = {
    "No matching distribution found for hatchling": "leave geochange from empty: the wheel of "
    "geochange lies in the folder of wheels",
    "No matching distribution found": "the folder of wheels lacks it, or has it for another Python; "
    "collect it again with the version of Python that makes the environment",
}
"""The same where pip looks into a folder of wheels alone."""


def cure_of(lines: Sequence[str], of_wheels: bool = False) -> str:
    """What helps after a step that said these lines."""
    text = "\n".join(lines)
    cures = [*(OF_WHEELS.items() if of_wheels else ()), *CURES.items()]
    return next((cure for words, cure in cures if words in text), "read the log above")


def reason_of(lines: Sequence[str]) -> str:
    """The line that says what failed: the last one that pip calls an error, or the last one."""
    said = [line for line in lines if line]
    errors = [line for line in said if line.startswith(("ERROR:", "OSError"))]
    errors = [line for line in errors if "ResolutionImpossible" not in line]  # gives an address
    return (errors or said or ["no reason given"])[-1]


def find_python(
    named: str, ask: Callable[[Sequence[str]], str], environ: Mapping[str, str] = os.environ
) -> str:
    """A Python that can make the environment. Raises SetupError.

    named: by the user, or nothing. ask: runs words and gives what they print; raises SetupError.
    """
    for words in [[named]] if named else candidates(environ):
        try:
            said = ask([*words, "-c", PROBE]).split()
        except SetupError:
            continue
        if len(said) == 2 and tuple(map(int, said)) >= OLDEST:
            return words[0] if len(words) == 1 else _python_of_launcher(words, ask)
    raise SetupError(f"{named}: is no Python 3.11 or later with venv" if named else NO_PYTHON)


def candidates(environ: Mapping[str, str], platform: str = sys.platform) -> Iterator[list[str]]:
    """Where a Python may be, the likeliest first, each as the words that start it."""
    versions = [f"3.{minor}" for minor in range(NEWEST, OLDEST[1] - 1, -1)]
    if platform == "win32":
        yield from (["py", f"-{version}"] for version in versions)
        # QGIS's own, in OSGeo4W and the installer alike; sys.executable is QGIS there.
        yield [os.path.join(sys.exec_prefix, "python.exe")]
        yield from (["python"], ["python3"])
        return
    if platform == "darwin":
        yield [os.path.join(sys.exec_prefix, "bin", "python3")]
        yield from ([f"{folder}/python{v}"] for folder in _MAC for v in versions)
    elif os.path.basename(sys.executable).startswith("python"):
        yield [sys.executable]
    yield from ([f"python{version}"] for version in versions)
    yield ["python3"]


_MAC = ("/opt/homebrew/bin", "/usr/local/bin")


def _python_of_launcher(words: Sequence[str], ask: Callable[[Sequence[str]], str]) -> str:
    """The Python that the launcher of Windows starts."""
    return ask([*words, "-c", "import sys; print(sys.executable)"]).strip()


def _notes(folder: Path) -> Path:
    return folder / "install-steps.json"


def _read(file: Path) -> list[Any]:
    try:
        told = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError):
        return []
    return told if isinstance(told, list) else []


def _write(file: Path, told: Any) -> None:
    part = file.with_name(file.name + ".part")
    part.write_text(json.dumps(told), "utf-8")
    os.replace(part, file)
