"""The whole corpus, tried: which planted errors are caught, and by what."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from lowerbound.seeding import seeded
from planted.subject import Subject


@dataclass(frozen=True)
class Outcome:
    """What became of one planted error.

    Attributes:
        subject: Where it was planted.
        check: Name of the check that must see it.
        words: What is wrong.
        caught: It was seen for its reason, and nothing was where nothing is wrong.
        message: What the check said; None if nothing.
        seconds: How long it took.
    """

    subject: str
    check: str
    words: str
    caught: bool
    message: str | None
    seconds: float


def subjects() -> tuple[Subject, ...]:
    """All subjects, each with its errors."""
    from planted import (
        draws,
        evaluation,
        events,
        flows,
        gradients,
        guides,
        likelihoods,
        masks,
        models,
        objectives,
        parts,
        posteriors,
        priors,
        reparameterised,
        wrappers,
    )

    return (
        priors.PRIORS,
        posteriors.POSTERIORS,
        flows.FLOWS,
        parts.PARTS,
        draws.DRAWS,
        likelihoods.LIKELIHOODS,
        events.EVENTS,
        models.MODELS,
        masks.MASKS,
        gradients.GRADIENTS,
        objectives.OBJECTIVES,
        reparameterised.REPARAMETERISED,
        wrappers.WRAPPERS,
        guides.GUIDES,
        evaluation.EVALUATION,
    )


def try_corpus(
    only: Callable[[Subject], bool] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Outcome, ...]:
    """Run every check on the part with its error, and once on the part without, under seed 0.

    Args:
        only: Which subjects; all if None.
        progress: Called with (errors done, errors in all).

    Returns:
        An outcome for each error, in the order of the corpus.

    Example:
        >>> outcomes = try_corpus(lambda subject: subject.name == "wrappers")
        >>> all(outcome.caught for outcome in outcomes)
        True
    """
    chosen = [subject for subject in subjects() if only is None or only(subject)]
    every = [(subject, key) for subject in chosen for key in subject.errors]
    alarms: dict[tuple[int, int], str | None] = {}
    outcomes = []
    for done, (subject, key) in enumerate(every, start=1):
        began = time.perf_counter()
        error = subject.errors[key]
        pair = (id(error.check), id(error.right))
        with seeded(0):  # parts have random weights, for which a check may see another symptom
            if pair not in alarms:
                alarms[pair] = error.message(error.right)
            alarm, found = alarms[pair], error.message(error.wrong)
        caught = alarm is None and found is not None and error.is_reason(found)
        check = key.removesuffix(f": {error.words}")
        message = found if alarm is None else f"without the error: {alarm}"
        seconds = time.perf_counter() - began
        outcomes.append(Outcome(subject.name, check, error.words, caught, message, seconds))
        if progress is not None:
            progress(done, len(every))
    return tuple(outcomes)
