"""How to make a run again: its command line, or a few lines of Python."""

import shlex
from pprint import pformat
from typing import Any

from lowerbound.data import names
from lowerbound.runs import Run, recorded


def command_of(run: Run) -> str:
    """The command line, quoted for a shell; empty where there was none.

    A stranger's run may hold any command, and people paste what they read: only ours is shown.
    """
    words = [str(word) for word in run.spec.command]
    return shlex.join(words) if words[:2] == ["lowerbound", "fit"] else ""


def snippet_of(run: Run) -> str:
    """Python that trains the same model on the same data."""
    spec = run.spec
    source = str(spec.data.get("source", ""))
    location, options = recorded(spec)
    if location is None and source in names():
        location = source
    given = {key: value for key, value in options.items() if value not in (False, None)}
    given = {key: value for key, value in given.items() if (key, value) != ("seed", 0)}
    extra = "".join(f", {key}={value!r}" for key, value in given.items())
    if location is not None:
        read = f"data = lb.read({location!r}{extra})"
    else:
        read = f'data = lb.read("..."{extra})  # what was read from {_one_line(source)}'
    count = _table(_table(spec.data.get("split")).get("counts")).get("train")
    settings = pformat({**spec.settings, **spec.training}, width=88, sort_dicts=False)
    return "\n".join(
        [
            "import lowerbound as lb",
            "",
            read,
            f"settings = {settings}",
            "assembly = lb.catalogue.assemble(",
            f"    {spec.recipe!r}, data.schema, settings, "
            f"examples={count if type(count) is int else 'len(data.train)'}, seed={spec.seed}",
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
