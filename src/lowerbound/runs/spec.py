"""`spec.json`: everything needed to build a run's model again, and its origin."""

import json
import os
import platform
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from lowerbound._version import __version__
from lowerbound.data import Schema
from lowerbound.errors import DataError, RunError

#: The format this version writes. Readers of later versions keep reading it.
FORMAT_VERSION = 2
_FORMAT = "lowerbound-run"
#: A spec larger than this is not one.
_MOST_BYTES = 64 * 2**20
_DEEPEST = 20


@dataclass(frozen=True)
class Spec:
    """A run, apart from its weights.

    Attributes:
        recipe: Name in the catalogue.
        settings: The recipe's arguments, all of them, as plain JSON values.
        training: Settings of `Training`, likewise.
        data: source, fingerprint, split, notes and reading options.
        seed: Of initialisation, shuffling and noise.
        command: The command line, or empty.
        versions: Of Python and the packages that matter.
        result: stopped, epochs, best_epoch, seconds, precision and compiled; skipped and rollbacks
            where there were any; empty while training is going on.
        begun_from: The run whose weights training began from, and their sha256; empty if none.
        refit: The prior that is fitted after training, "prior" by name or "auto"; empty for none.
        resumed: When training went on after an interruption, and from which epoch; in order.
    """

    recipe: str
    settings: dict[str, Any]
    training: dict[str, Any]
    schema: Schema
    data: dict[str, Any]
    seed: int
    command: list[str] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)
    result: dict[str, Any] = field(default_factory=dict)
    begun_from: dict[str, Any] = field(default_factory=dict)
    resumed: list[dict[str, Any]] = field(default_factory=list)
    refit: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> bytes:
        """Write the contents of `spec.json`."""
        values = {"format": _FORMAT, "format_version": FORMAT_VERSION}
        values |= {name: getattr(self, name) for name in _KINDS}
        values["schema"] = self.schema.to_json()
        values["versions"] = self.versions or current_versions()
        values |= {name: getattr(self, name) for name in _LATER if getattr(self, name)}
        return (json.dumps(values, indent=1, allow_nan=False) + "\n").encode()

    @classmethod
    def read(cls, path: Path) -> "Spec":
        """Read and check `spec.json`."""
        values = _read_json(path)
        if not isinstance(values, dict) or values.get("format") != _FORMAT:
            raise RunError(f"{path} was not written by lowerbound; give the directory of a run")
        number = values.get("format_version")
        if not isinstance(number, int) or isinstance(number, bool) or number < 1:
            raise RunError(f"{path} has format version {number!r}, which never was; fit again")
        if number == 1:
            raise RunError(
                f"{path} is of format version 1, from before the first release; fit again"
            )
        if number > FORMAT_VERSION:
            raise RunError(
                f"{path} has format version {number}, this lowerbound {__version__} reads up to "
                f"{FORMAT_VERSION}; upgrade with pip install -U lowerbound"
            )
        kinds = _KINDS | {name: kind for name, kind in _LATER.items() if name in values}
        for name, kind in kinds.items():
            value = values.get(name)
            if not isinstance(value, kind) or isinstance(value, bool):
                raise RunError(f"{path} is damaged: '{name}' should be a {_WORDS[kind]}")
        if not 0 <= values["seed"] < 2**63:
            raise RunError(f"{path} is damaged: 'seed' is out of range")
        try:
            schema = Schema.from_json(values["schema"])
        except DataError as error:
            raise RunError(f"{path} is damaged: {error}") from error
        return cls(**{**{name: values[name] for name in kinds}, "schema": schema})


#: Entries of every spec, in their order in the file.
_KINDS: dict[str, type] = {
    "recipe": str, "settings": dict, "training": dict, "schema": dict, "data": dict, "seed": int,
    "command": list, "versions": dict, "result": dict,
}  # fmt: skip
#: Entries that are written where there is something to say.
_LATER: dict[str, type] = {"begun_from": dict, "resumed": list, "refit": dict}
_WORDS = {str: "text", dict: "table", int: "whole number", list: "list"}


def current_versions() -> dict[str, str]:
    """Collect the versions of Python and the packages that numbers depend on."""
    found = {"python": platform.python_version(), "lowerbound": __version__}
    for package in ("torch", "numpy", "safetensors"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def current_machine() -> dict[str, Any]:
    """Describe the machine that a figure is measured on."""
    import torch

    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "system": f"{platform.system()} {platform.machine()}",
        "accelerator": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
    }


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor()


def _read_json(path: Path) -> Any:
    try:
        size = path.stat().st_size
        if size > _MOST_BYTES:
            raise RunError(f"{path} is {size:,} bytes, too large for a run; fit again")
        values = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse)
    except (OSError, UnicodeDecodeError) as error:
        raise RunError(f"{path} cannot be read; give the directory of a run") from error
    except RunError:
        raise
    except (RecursionError, ValueError) as error:
        raise RunError(f"{path} is truncated or damaged; restore it, or fit again") from error
    if _depth(values) > _DEEPEST:
        raise RunError(f"{path} is damaged: it is nested too deeply")
    return values


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _depth(value: Any) -> int:
    deepest, todo = 0, [(value, 1)]
    while todo:
        inner, depth = todo.pop()
        deepest = max(deepest, depth)
        if isinstance(inner, dict | list):
            todo += [(v, depth + 1) for v in (inner.values() if isinstance(inner, dict) else inner)]
    return deepest
