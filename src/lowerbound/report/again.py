"""The way to make a run again: its command line, or a few lines of Python."""

import shlex
from pprint import pformat

from lowerbound.data import names
from lowerbound.runs import Run, recorded


def command_of(run: Run) -> str:
    """Quote the command line for a shell; empty where there was none.

    A stranger's run may hold any command, and people paste what they read: only ours is shown.
    """
    words = [str(word) for word in run.spec.command]
    return shlex.join(words) if words[:2] == ["lowerbound", "fit"] else ""


def snippet_of(run: Run) -> str:
    """Write Python that trains the same model on the same data."""
    spec = run.spec
    source = str(spec.data.get("source", ""))
    location, options = recorded(spec)
    if location is None and source in names():
        location = source
    extra = "".join(
        f", {key}={value!r}"
        for key, value in options.items()
        if value not in (False, None) and (key, value) != ("seed", 0)
    )
    if location is not None:
        read = f"data = lb.read({location!r}{extra})"
    else:
        read = f'data = lb.read("..."{extra})  # once read from {" ".join(source.split())}'
    split = spec.data.get("split")
    counts = split.get("counts") if isinstance(split, dict) else None
    count = counts.get("train") if isinstance(counts, dict) else None
    examples = count if type(count) is int else "len(data.train)"
    settings = pformat({**spec.settings, **spec.training}, width=88, sort_dicts=False)
    return f"""import lowerbound as lb

{read}
settings = {settings}
assembly = lb.catalogue.assemble(
    {spec.recipe!r}, data.schema, settings, examples={examples}, seed={spec.seed}
)
fit = lb.fit(
    assembly.model, assembly.objective, data, assembly.training, seed={spec.seed}
)"""
