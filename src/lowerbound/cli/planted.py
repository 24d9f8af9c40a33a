"""Errors planted to test the checks: where they are, and the outcome as a person reads it."""

import importlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lowerbound.cli.certificates import in_markdown, show_table
from lowerbound.cli.console import say, wrapped
from lowerbound.errors import LowerboundError

#: Beside src in a checkout of the repository. Wrong code is no part of the installed package.
TESTS = Path(__file__).parents[3] / "tests"


def corpus() -> Any:
    """Import the package of planted errors from the checkout that this package runs from."""
    if not (TESTS / "planted" / "__init__.py").is_file():
        raise LowerboundError(
            "the planted errors are not installed, they live in the repository's tests/planted; "
            "get its source, run `pip install -e .` there, and try again"
        )
    sys.path.insert(0, str(TESTS))
    try:
        return importlib.import_module("planted")
    finally:
        sys.path.remove(str(TESTS))


def show_outcomes(outcomes: Sequence[Any]) -> None:
    """Print how many planted errors of each subject were caught, and each one that was not."""
    show_table(("subject", "planted", "caught", "missed", "seconds"), subject_rows(outcomes))
    bad = [outcome for outcome in outcomes if not outcome.caught]
    for outcome in bad:
        seen = "nothing was said" if outcome.message is None else f"said: {outcome.message}"
        say(wrapped(f"missed by the check '{outcome.check}': {outcome.words}; {seen}"))
        say()
    caught = len(outcomes) - len(bad)
    say(f"{len(outcomes)} errors planted, {caught} caught, {len(bad)} missed")


def subject_rows(outcomes: Sequence[Any]) -> list[tuple[str, ...]]:
    """Count for each subject the errors planted, caught, missed, and their seconds."""
    rows = []
    for subject in dict.fromkeys(outcome.subject for outcome in outcomes):
        here = [outcome for outcome in outcomes if outcome.subject == subject]
        caught = sum(outcome.caught for outcome in here)
        seconds = sum(outcome.seconds for outcome in here)
        numbers = (len(here), caught, len(here) - caught)
        rows.append((subject, *map(str, numbers), f"{seconds:.1f}"))
    return rows


def outcomes_in_markdown(outcomes: Sequence[Any]) -> str:
    """Write the table of planted errors in Markdown."""
    rows = (
        (outcome.subject, outcome.check, outcome.words, "caught" if outcome.caught else "MISSED")
        for outcome in outcomes
    )
    return "\n".join(in_markdown(("subject", "check", "planted error", "verdict"), rows))
