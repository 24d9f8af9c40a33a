"""Results of certify, as a person reads them."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from lowerbound.cli.console import clean, say, show, wrapped

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
