"""Results of certify, and of errors planted to test it, as a person reads them."""

import importlib
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lowerbound.cli.console import clean, say, show, wrapped
from lowerbound.errors import LowerboundError

if TYPE_CHECKING:
    from lowerbound.testing.certify import Certificate

HEADINGS = ("part", "kind", "checked", "nats", "s.e.", "s", "")


def show_certificates(certificates: "Sequence[Certificate]") -> None:
    """Print a table of parts, the largest errors found, and each failure in words."""
    bad = [certificate for certificate in certificates if certificate.failure is not None]
    show_table(HEADINGS, map(certificate_row, certificates))
    for certificate in bad:
        say(wrapped(f"{certificate.name}: {certificate.failure}."))
        say()
    identities = sum(certificate.identities for certificate in certificates)
    seconds = sum(certificate.seconds for certificate in certificates)
    passed = len(certificates) - len(bad)
    say(
        f"{passed} of {len(certificates)} parts passed, {identities:,} identities in "
        f"{seconds:.0f} seconds"
    )
    say(
        wrapped(
            "Largest errors: nats of exact identities, s.e. (standard errors) of statistical ones, "
            "which fail beyond 4.9."
        )
    )


def show_table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print columns, all but the first and last to the right."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in headings:
        is_text = heading in ("part", "kind", "subject", "")
        table.add_column(heading, justify="left" if is_text else "right", no_wrap=True)
    for row in rows:
        table.add_row(*(Text(clean(cell), "bold red" if cell == "FAILED" else "") for cell in row))
    show(table)


def certificate_row(certificate: "Certificate") -> tuple[str, ...]:
    """Write one part as text."""
    errors = certificate.standard_errors
    return (
        certificate.name,
        certificate.kind,
        f"{certificate.identities:,}",
        "-" if certificate.nats is None else f"{certificate.nats:.1g}",
        "-" if errors is None else f"{errors:.2f}",
        f"{certificate.seconds:.1f}",
        "passed" if certificate.failure is None else "FAILED",
    )


def certificates_in_markdown(certificates: "Sequence[Certificate]") -> str:
    """Write the table of parts, then each failure."""
    lines = in_markdown((*HEADINGS[:-1], "verdict"), map(certificate_row, certificates))
    for certificate in certificates:
        if certificate.failure is not None:
            lines += ["", f"**{escaped(certificate.name)}**: {escaped(certificate.failure)}."]
    return "\n".join(lines)


def in_markdown(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Write the lines of a Markdown table."""
    lines = [f"| {' | '.join(headings)} |", f"|{'---|' * len(headings)}"]
    return lines + [f"| {' | '.join(map(escaped, row))} |" for row in rows]


def escaped(text: str) -> str:
    """Escape text so that it breaks no table."""
    return clean(text).replace("|", "\\|")


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
