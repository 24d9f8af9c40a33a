"""How to make a run again: its command line, or a few lines of Python."""

import shlex
from pprint import pformat
from typing import Any

from lowerbound.catalogue import Run
from lowerbound.data import names


def command_of(run: Run) -> str:
    """The command line, quoted for a shell; empty where there was none."""
    return shlex.join(str(word) for word in run.spec.command)


def snippet_of(run: Run) -> str:
    """Python that trains the same model on the same data."""
    spec = run.spec
    source, location = str(spec.data.get("source", "")), spec.data.get("location")
    if not isinstance(location, str):
        location = source if source in names() else None
    extra = "".join(f", {key}={value!r}" for key, value in _table(spec.data.get("options")).items())
    if location is not None:
        read = f"data = lb.read({location!r}{extra})"
    else:
        read = f'data = lb.read("..."{extra})  # what was read from {_one_line(source)}'
    counts = _table(_table(spec.data.get("split")).get("counts"))
    settings = pformat({**spec.settings, **spec.training}, width=88, sort_dicts=False)
    return "\n".join(
        [
            "import lowerbound as lb",
            "",
            read,
            f"settings = {settings}",
            "assembly = lb.catalogue.assemble(",
            f"    {spec.recipe!r}, data.schema, settings, "
            f"examples={counts.get('train', 'len(data.train)')}, seed={spec.seed}",
            ")",
            "fit = lb.fit(",
            f"    assembly.model, assembly.objective, data, assembly.training, seed={spec.seed}",
            ")",
        ]
    )


def _table(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _one_line(text: str) -> str:
    return " ".join(text.split())
