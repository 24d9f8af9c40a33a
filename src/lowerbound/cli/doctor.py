"""`lowerbound doctor`: faults of a run, and remedies."""

from typing import TYPE_CHECKING, Annotated

import typer

from lowerbound.cli.common import Device, Json, RunPath, device_of, option

if TYPE_CHECKING:
    from lowerbound.doctor import Examination


def command(
    path: RunPath,
    source: Annotated[
        str | None, option("--data", "DATA", "Where the run's data is, if it has moved.")
    ] = None,
    quick: Annotated[
        bool, option("--quick", None, "Look at the record only: no data, no evaluation.")
    ] = False,
    strict: Annotated[bool, option("--strict", None, "Exit with 1 if anything is ill.")] = False,
    device: Device = "auto",
    json: Json = False,
) -> None:
    """Say what is wrong with a run and what to try, the most serious first.

    Reads the record, the data and the model, also of a run that is still in training: collapse,
    overfitting, under-training, spikes, scales, weights, and leaks between the splits. "ill": its
    figures are not what they seem; "warning": it works, and could work better, or be misread. The
    test split serves to look for leaks, and never to judge the model.

    Examples:
      lowerbound doctor runs/one
      lowerbound doctor runs/one --quick
      lowerbound doctor runs/one --data moved/table.csv --strict
      lowerbound doctor runs/one --json
    """
    from lowerbound.cli.console import say_json, working
    from lowerbound.doctor import examine

    device = device_of(device)
    with working("looking at the run"):
        examination = examine(path, source, quick=quick, device=device)
    if json:
        say_json(examination.to_json())
    else:
        show(examination)
    if strict and examination.ill:
        raise typer.Exit(1)


def show(examination: "Examination") -> None:
    """Print facts and findings as a person reads them."""
    from lowerbound.cli.console import say, wrapped

    for fact in examination.facts:
        say(wrapped(f"Note: {fact}."))
    for number, finding in enumerate(examination.findings, start=1):
        say(f"{number}. {finding.name} ({finding.severity})")
        say(wrapped(f"   {finding.words}"))
        say(wrapped(f"   Try: {finding.remedy}"))
    if not examination.findings:
        say(wrapped(f"Nothing wrong found. Looked for: {', '.join(examination.looked)}."))
