"""Which of several runs is better, on the same examples, and how sure that is."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any

import torch

from lowerbound.compare.common import common_held_out
from lowerbound.compare.comparable import check_comparable
from lowerbound.compare.paired import Paired, paired
from lowerbound.evaluation import Estimate, Evidence, convergence, evidence
from lowerbound.runs import Run, load


@dataclass(frozen=True)
class Standing:
    """One run on the common examples.

    Attributes:
        run: Its directory.
        recipe: Its recipe.
        log_likelihood: Importance-weighted lower bound on log p(x).
        elbo: Evidence lower bound.
        converged: Whether more draws would raise the former no further.
        words: The verdict in a sentence.
    """

    run: str
    recipe: str
    log_likelihood: Estimate
    elbo: Estimate
    converged: bool
    words: str


@dataclass(frozen=True)
class Difference:
    """One run minus another, on the same examples.

    Attributes:
        first: Directory of the one.
        second: Of the other.
        log_likelihood: Paired difference of the bounds on log p(x). Its interval is wider than
            that of the bounds by what may be missing from each, so that it is one for log p(x).
        elbo: Paired difference of the ELBOs.
        verdict: Which is better, in words, by the bound on log p(x).
    """

    first: str
    second: str
    log_likelihood: Paired
    elbo: Paired
    verdict: str


@dataclass(frozen=True)
class Comparison:
    """Several runs on the same held-out examples.

    Attributes:
        data: The examples that they were compared on.
        examples: How many examples.
        samples: Draws of z for each.
        runs: In the order in which they were given.
        differences: The first run minus the second or, of more than two runs, the best minus each
            of the others.
        correction: How several comparisons were allowed for.
        notes: Remarks on the examples and the bounds.
    """

    data: str
    examples: int
    samples: int
    runs: tuple[Standing, ...]
    differences: tuple[Difference, ...]
    correction: str
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return a dictionary of plain values."""
        return asdict(self)


def compare_runs(
    *runs: Run | str | PathLike[str],
    data: Any = None,
    samples: int = 100,
    seed: int = 0,
    device: torch.device | str = "cpu",
    progress: Callable[[int, int], None] | None = None,
) -> Comparison:
    """Compare runs by paired differences of their bounds on the same held-out examples.

    Two runs are compared with each other; of more, the best with each of the others, under
    intervals corrected for all pairs (Bonferroni), since the best was chosen by the same figures.

    Args:
        *runs: At least 2 loaded runs or directories.
        data: Examples to compare on, as `Data` or anything `read` takes; the runs' own test part
            if None. Examples that a run was trained or validated on are left out.
        samples: Draws of z for each example.
        device: Where to put runs that are given by their directories.
        progress: Called with (runs done, runs in all).

    Returns:
        The comparison; every figure in nats per example.

    Raises:
        SettingError: The runs are not of the same thing, or no example is left.
        DataError: The data cannot be read, or has fewer than 5 common examples.
        RunError: A run cannot be read.
    """
    loaded = [run if isinstance(run, Run) else load(Path(run), device=device) for run in runs]
    check_comparable(loaded, data_given=data is not None)
    examples, name, notes = common_held_out(loaded, data)
    if len({str(run.spec.data.get("fingerprint")) for run in loaded}) > 1:
        notes += (
            "the runs were trained on different examples: the difference is one of data and model",
        )
    found: list[Evidence] = []
    for done, run in enumerate(loaded):
        found.append(evidence(run.model, examples, samples, seed=seed))
        if progress is not None:
            progress(done + 1, len(loaded))
    names = [str(run.path) for run in loaded]
    standings = tuple(_standing(run, values) for run, values in zip(loaded, found, strict=True))
    loose = [standing for standing in standings if not standing.converged]
    notes += tuple(f"log p(x) of {standing.run}: {standing.words}" for standing in loose)
    if loose:
        notes += ("the shortfall of a bound widens the interval: more --samples narrow it",)
    if len(loaded) == 2:
        pairs, comparisons = [(0, 1)], 1
        correction = "one comparison, of the first run with the second: no correction"
    else:
        best = max(range(len(found)), key=lambda i: float(found[i].log_likelihood.mean()))
        pairs = [(best, i) for i in range(len(found)) if i != best]
        comparisons = len(found) * (len(found) - 1) // 2
        correction = (
            f"the best against each other run; Bonferroni over all {comparisons} pairs, since the "
            "best was chosen by the same figures"
        )
    differences = tuple(
        difference(names[i], found[i], names[j], found[j], comparisons) for i, j in pairs
    )
    return Comparison(name, len(examples), samples, standings, differences, correction, notes)


def difference(
    first: str, first_found: Evidence, second: str, second_found: Evidence, comparisons: int = 1
) -> Difference:
    """Take the paired difference of two runs, by name, on the same examples, with the verdict."""
    likelihood = paired(first_found.log_likelihood, second_found.log_likelihood, comparisons)
    missing = [last_doubling(found) for found in (first_found, second_found)]
    low, high = likelihood.interval
    # as much as the last doubling of draws gained is missing from a bound: the truth behind the
    # difference may be that much lower for the first's sake, and higher for the second's
    likelihood = replace(likelihood, interval=(low - missing[1], high + missing[0]))
    elbo = paired(first_found.elbo, second_found.elbo, comparisons)
    return Difference(first, second, likelihood, elbo, verdict(first, second, likelihood))


def last_doubling(found: Evidence) -> float:
    """Return the gain of the last doubling of draws, nats per example, at least 0."""
    half = max(1, found.samples // 2)
    return max(0.0, float((found.log_likelihood - found.ladder[half]).mean()))


def verdict(first: str, second: str, found: Paired) -> str:
    """Say in words which of two is better."""
    if found.mean == 0 and found.standard_error == 0:
        return f"{first} and {second} are the same to the last digit"
    size = f"{abs(found.mean):,.2f} ± {found.standard_error:,.2f} nats per example"
    if not found.settled:
        return f"{first} and {second} cannot be told apart: they differ by {size}"
    better, worse = (first, second) if found.mean > 0 else (second, first)
    return f"{better} is better than {worse} by {size}"


def _standing(run: Run, found: Evidence) -> Standing:
    state = convergence(found.ladder, found.effective_samples, found.tail)
    bounds = Estimate.of(found.log_likelihood), Estimate.of(found.elbo)
    return Standing(str(run.path), run.spec.recipe, *bounds, state.converged, state.words)
