"""Reads a run and its data once, and asks every rule."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any

import torch

from lowerbound.data import Data
from lowerbound.doctor.finding import Finding
from lowerbound.doctor.gather import some
from lowerbound.doctor.gather.belief import belief_of
from lowerbound.doctor.gather.cells import cells_of, grid_of, structure_of
from lowerbound.doctor.gather.neighbours import neighbours_of
from lowerbound.doctor.gather.record import record_of
from lowerbound.doctor.rules import FROM_DATA, FROM_EPOCHS, FROM_RECORD, RULES
from lowerbound.doctor.symptoms import Symptoms
from lowerbound.errors import DataError, RunError
from lowerbound.objectives.objective import positive_samples
from lowerbound.runs import Run, RunDirectory, Spec, load
from lowerbound.runs.origin import read_again
from lowerbound.training import Epoch

#: Examples of each split that the model is measured on.
EXAMPLES = 500
#: Fewer validation examples have no standard error worth the name.
FEWEST_JUDGED = 10
#: Draws for each: enough to fit a tail to.
SAMPLES = 200


@dataclass(frozen=True)
class Examination:
    """Findings in a run, most serious first.

    Attributes:
        run: Its directory.
        facts: Facts that are no illness, one sentence each: that training is still going on,
            that the data has changed.
        findings: Illnesses, certain or possible.
        looked: Names of the diagnoses that could be made, found or not.
        symptoms: The numbers they were made from.
    """

    run: str
    facts: tuple[str, ...]
    findings: tuple[Finding, ...]
    looked: tuple[str, ...]
    symptoms: Symptoms

    @property
    def ill(self) -> bool:
        """Whether any finding is an illness."""
        return any(finding.severity == "ill" for finding in self.findings)

    def to_json(self) -> dict[str, Any]:
        """Return a dictionary of plain values, without the symptoms."""
        findings = [asdict(finding) for finding in self.findings]
        plain = {"run": self.run, "ill": self.ill, "facts": list(self.facts)}
        return {**plain, "findings": findings, "looked": list(self.looked)}


def examine(
    run: Run | str | PathLike[str],
    data: Any = None,
    *,
    quick: bool = False,
    samples: int = SAMPLES,
    examples: int = EXAMPLES,
    seed: int = 0,
    device: torch.device | str = "cpu",
    progress: Callable[[str], None] | None = None,
) -> Examination:
    """Look for what is wrong with a run, also one in progress or cut off.

    The test split serves for leaks alone, and never to judge the model.

    Args:
        run: A loaded run, or its directory.
        data: The data it was trained on, as `Data` or anything `read` takes; where the run says if
            None. Where it cannot be read the record alone is judged.
        quick: Judge by the record alone.
        samples: Draws of z for each example, at least 1; tails need 25.
        examples: Most examples of each split that the model is measured on, at least 2.
        device: Where to put a run that is given by its directory.
        progress: Called with what is being looked at.

    Returns:
        The findings, and what was looked at.

    Raises:
        RunError: It is no run, or its spec or weights are damaged.
        DataError: `data` was given and is not of the run's kind and shape.
    """
    positive_samples(samples)
    inform = progress or (lambda what: None)
    opened = _Opened.of(run, device)
    facts = list(opened.facts)
    record = record_of(opened.spec, opened.history)
    symptoms, looked = Symptoms(record, _count(opened.spec)), FROM_RECORD
    if not quick:
        inform("reading the data")
    found = None if quick else _data_of(opened, data, facts)
    if found is not None:
        inform("looking for copies")
        symptoms = Symptoms(
            record,
            len(found.train),
            structure=structure_of(found),
            grid=grid_of(found),
            neighbours=neighbours_of(found),
        )
        looked += FROM_DATA
        if opened.run is not None and len(found.validation) < FEWEST_JUDGED:
            count = len(found.validation)
            facts.append(f"{count} validation examples are too few to judge the model by")
        elif opened.run is not None:
            inform("evaluating")
            model = opened.run.model
            chosen, held_out = some(found.train, examples), some(found.validation, examples)
            try:
                belief = belief_of(model, found, chosen, held_out, samples, seed)
                cells = cells_of(model, found, chosen, seed)
                symptoms, looked = replace(symptoms, belief=belief, cells=cells), tuple(RULES)
            except DataError as error:
                facts.append(f"the model could not be measured: {error}")
    if not record.history:
        facts.append("no epoch is recorded: how training went cannot be judged")
        blind = FROM_EPOCHS if symptoms.belief else (*FROM_EPOCHS, "posterior collapse")
        looked = tuple(name for name in looked if name not in blind)
    findings = [told for name in looked if (told := RULES[name](symptoms)) is not None]
    findings.sort(key=lambda finding: finding.severity != "ill")  # otherwise in order of looking
    return Examination(str(opened.path), tuple(facts), tuple(findings), looked, symptoms)


@dataclass(frozen=True)
class _Opened:
    """A run, as much of it as there is."""

    path: Path
    spec: Spec
    history: tuple[Epoch, ...]
    run: Run | None
    facts: tuple[str, ...]

    @classmethod
    def of(cls, run: Run | str | PathLike[str], device: torch.device | str) -> "_Opened":
        if isinstance(run, Run):
            facts = tuple(_progress(run.spec, run.history))
            return cls(run.path, run.spec, run.history, run, facts)
        directory = RunDirectory(run)
        spec = directory.read_spec()
        if directory.weights_path.exists():
            return cls.of(load(directory.path, device=device), device)
        history = _epochs(directory)
        bare = "it has no weights yet: the record and the data are all there is to see"
        return cls(directory.path, spec, history, None, (*_progress(spec, history), bare))


def _progress(spec: Spec, history: tuple[Epoch, ...]) -> list[str]:
    """Tell how training ended, where it did not end by itself."""
    stopped, planned = spec.result.get("stopped"), spec.training.get("epochs")
    done = f"{len(history)} of {planned} epochs"
    if stopped is None:
        return [f"training is still going on, or was cut off without a word: {done} are recorded"]
    if stopped not in ("epochs", "minutes", "patience"):
        return [f"training did not end by itself ({stopped}): {done} were made"]
    return []


def _epochs(directory: RunDirectory) -> tuple[Epoch, ...]:
    """Read the whole records of a training in progress."""
    found = []
    for record in directory.read_metrics():
        try:
            found.append(Epoch.from_json(record))
        except (TypeError, KeyError, ValueError):
            continue
    return tuple(found)


def _count(spec: Spec) -> int:
    counts = spec.data.get("split", {})
    counts = counts.get("counts") if isinstance(counts, Mapping) else None
    count = counts.get("train") if isinstance(counts, Mapping) else None
    return count if isinstance(count, int) and count > 0 else 0


def _data_of(opened: _Opened, given: Any, facts: list[str]) -> Data | None:
    """Read the data, and add what is to be said of it; None if it is not there nor given."""
    try:
        found = given if isinstance(given, Data) else read_again(opened.path, opened.spec, given)
    except DataError as error:
        if given is not None:
            raise
        facts.append(f"only the record was read: {error}")
        return None
    schema = opened.spec.schema
    if (found.schema.shape, found.schema.kind) != (schema.shape, schema.kind):
        raise RunError(
            f"{opened.path} was trained on {schema.describe()}, got {found.schema.describe()}; "
            "give the data it was trained on"
        )
    if found.fingerprint != opened.spec.data.get("fingerprint"):
        facts.append(
            "the data is not what the run was trained on, or has changed since: its validation "
            "split may hold examples that the model was trained on"
        )
    return found
