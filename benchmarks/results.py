"""Where a figure comes from: command, seed, versions and machine beside every result."""

import datetime
import json
import shlex
import sys
from pathlib import Path
from typing import Any

from lowerbound.runs.spec import current_machine, current_versions

DIRECTORY = Path(__file__).parent / "results"


def kept(name: str, part: str) -> dict[str, Any]:
    """Read a part of an earlier result, to which another is added; empty if there is none."""
    path = DIRECTORY / f"{name}.json"
    return json.loads(path.read_text()).get(part, {}) if path.exists() else {}


def write(name: str, result: dict[str, Any]) -> Path:
    """Write `results/NAME.json`."""
    DIRECTORY.mkdir(exist_ok=True)
    path = DIRECTORY / f"{name}.json"
    record = {
        "command": shlex.join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *sys.argv[1:]]),
        "date": datetime.date.today().isoformat(),
        "versions": current_versions(),
        "machine": current_machine(),
        **result,
    }
    path.write_text(json.dumps(record, indent=1) + "\n")
    return path
