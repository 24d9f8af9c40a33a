"""An honest statement of how good a model is, with standard errors."""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from lowerbound.data import Data, Examples
from lowerbound.evaluation.estimate import Estimate
from lowerbound.evaluation.evidence import Evidence, evidence

#: A latent unit is active if its posterior mean varies more than this over the data.
#: Source: Burda, Grosse & Salakhutdinov (2016), section 5.2, arXiv 1509.00519.
ACTIVE_THRESHOLD = 0.01


@dataclass(frozen=True)
class Evaluation:
    """How good a model is on some examples.

    Attributes:
        data: What was evaluated on.
        split: Which part of it.
        examples: How many examples.
        samples: Draws of z for each.
        elbo: Evidence lower bound.
        log_likelihood: Importance-weighted lower bound on log p(x), at least the ELBO in
            expectation and closer to the truth as `samples` grows.
        bits_per_dimension: -log_likelihood / (dimensions ln 2); None where x is continuous.
        bits_per_dimension_reason: Why it is None, otherwise None.
        rate: KL(q(z|x) || p(z)).
        distortion: -E_q[log p(x|z)].
        latents: Number of latent units.
        active_units: Those whose posterior mean varies over the examples by more than `threshold`.
        threshold: On the variance of the posterior mean.
        unit_rate: Rate of each unit in nats, or None.
    """

    data: str
    split: str
    examples: int
    samples: int
    elbo: Estimate
    log_likelihood: Estimate
    bits_per_dimension: Estimate | None
    bits_per_dimension_reason: str | None
    rate: Estimate
    distortion: Estimate
    latents: int
    active_units: int
    threshold: float
    unit_rate: tuple[float, ...] | None

    def to_json(self) -> dict[str, Any]:
        """A dictionary of plain values."""
        return asdict(self)


def evaluate(
    model: nn.Module,
    data: Data | Examples | Tensor,
    *,
    samples: int = 100,
    seed: int | None = 0,
    name: str = "data",
    split: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """State how good a model is: bounds on log p(x), rate, distortion and active units.

    Args:
        model: Anything with a `trace`.
        data: A `Data`, of which one split is read, or examples, or an array `(N, *event)`, of
            which everything is read.
        samples: Draws `K` for each example.
        seed: Of the draws; None for a fresh one.
        name: What the data is called; for a `Data`, where it came from.
        split: Which part of a `Data` to read, "test" if None; otherwise what the examples are
            called, "all" if None.
        progress: Called with (examples done, examples in all).

    Returns:
        The statement. Every number is a log-likelihood of the data as stored, in nats.

    Raises:
        SettingError: `samples` is less than 1, or a `Data` has no such split.
        DataError: There are no examples.
        SupportError: An example is impossible under the likelihood.
    """
    if isinstance(data, Data):
        name, split = data.source, split or "test"
        examples = data.part(split)
    else:
        examples = data if isinstance(data, Examples) else Examples(torch.as_tensor(data))
    likelihood = getattr(model, "likelihood", None)
    check = getattr(likelihood, "check", None)
    if check is not None:
        check(examples.x if examples.observed is None else examples.x[examples.observed], name)
    found = evidence(model, examples, samples, seed=seed, progress=progress)
    return summarize(found, examples, getattr(likelihood, "is_discrete", None), name, split)


def summarize(
    found: Evidence,
    examples: Examples,
    is_discrete: bool | None,
    name: str = "data",
    split: str | None = None,
) -> Evaluation:
    """The statement that follows from values for each example."""
    bits, reason = None, None
    dimensions = math.prod(examples.x.shape[1:])
    if examples.observed is not None:
        reason = "some cells are missing, so examples have different numbers of dimensions"
    elif is_discrete:
        nats = -found.log_likelihood / (dimensions * math.log(2.0))
        bits = Estimate.of(nats, "bits per dimension")
    elif is_discrete is None:
        reason = "the likelihood does not say whether it is a probability or a density"
    else:
        reason = "x is continuous: log p(x) is a density and depends on the unit of measurement"
    variance = (
        found.means.var(dim=0, unbiased=False)
        if len(examples) > 1
        else torch.zeros(found.means.shape[1])
    )
    return Evaluation(
        data=name,
        split=split or "all",
        examples=len(examples),
        samples=found.samples,
        elbo=Estimate.of(found.elbo),
        log_likelihood=Estimate.of(found.log_likelihood),
        bits_per_dimension=bits,
        bits_per_dimension_reason=reason,
        rate=Estimate.of(found.rate),
        distortion=Estimate.of(found.distortion),
        latents=found.means.shape[1],
        active_units=int((variance > ACTIVE_THRESHOLD).sum()),
        threshold=ACTIVE_THRESHOLD,
        unit_rate=None if found.unit_rate is None else tuple(found.unit_rate.tolist()),
    )
