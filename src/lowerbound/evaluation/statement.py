"""The statement on a model, and its figures from values for each example."""

import math
from dataclasses import asdict, dataclass, replace
from typing import Any

from torch import Tensor

from lowerbound.data import Examples, Source
from lowerbound.evaluation.amortisation import Gaps
from lowerbound.evaluation.estimate import Estimate
from lowerbound.evaluation.evidence import Evidence
from lowerbound.evaluation.information import Information
from lowerbound.evaluation.ladder import Convergence, Rung, convergence
from lowerbound.evaluation.quality import SampleQuality
from lowerbound.evaluation.sandwich import Sandwich

#: A latent unit is active if its posterior mean varies more than this over the data.
#: Source: Burda, Grosse & Salakhutdinov (2016), section 5.2, arXiv 1509.00519.
ACTIVE_THRESHOLD = 0.01


@dataclass(frozen=True)
class Generalisation:
    """A model on examples it was trained on.

    Attributes:
        examples: How many of them.
        elbo: Their evidence lower bound.
        gap: By how much that exceeds the held-out one, with the standard error of a difference
            of independent means.
    """

    examples: int
    elbo: Estimate
    gap: Estimate


@dataclass(frozen=True)
class Tightened:
    """A bound on log p(x) by annealed importance sampling, for some of the examples.

    Attributes:
        examples: How many.
        temperatures: Steps of the way from q(z|x) to p(x, z).
        chains: Ways for each example.
        importance_weighted: The bound of plain importance weighting on the same examples.
        annealed: The annealed bound.
        gain: `annealed` - `importance_weighted`, paired.
        acceptance: Mean acceptance of the Hamiltonian transitions; far from 0.65 the ways are
            poor, and the bound is loose, though still one.
    """

    examples: int
    temperatures: int
    chains: int
    importance_weighted: Estimate
    annealed: Estimate
    gain: Estimate
    acceptance: float


@dataclass(frozen=True)
class Evaluation:
    """How good a model is on some examples. Likelihoods are of the data as stored, in nats.

    Attributes:
        data: The examples evaluated.
        split: Which part of it.
        examples: How many examples.
        samples: Draws of z for each.
        elbo: Evidence lower bound, -(distortion + rate).
        log_likelihood: Importance-weighted lower bound on log p(x), at least the ELBO in
            expectation and closer to the truth as `samples` grows.
        bits_per_dimension: -log_likelihood / (dimensions ln 2); None where x is continuous.
        bits_per_dimension_reason: Why it is None, otherwise None.
        rate: KL(q(z|x) || p(z)).
        distortion: -E_q[log p(x|z)].
        latents: Number of latent units.
        active_units: Units whose posterior mean varies over the examples by more than `threshold`.
        threshold: On the variance of the posterior mean.
        unit_rate: Rate of each unit in nats, all groups in a row, top first; or None.
        log_evidence: `log_likelihood` with its bias removed to first order, no longer a bound; its
            `interval` is for log p(x) itself, to be trusted once `convergence` is. None for one
            draw.
        ladder: The bound for more and more draws.
        convergence: Whether more draws would still raise it.
        accuracy: Share of the examples of a known class that q(y|x) finds; None without one.
        information: The rate taken apart; None where that is not known how.
        generalisation: The bound on training examples; None where these were not given.
        tightened: Annealed importance sampling, if asked for.
        gaps: Amortisation and approximation gap, if asked for.
        simulated: Bounds from both sides on simulated data, if asked for.
        quality: How good samples are, if asked for.
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
    log_evidence: Estimate | None
    ladder: tuple[Rung, ...]
    convergence: Convergence
    accuracy: Estimate | None = None
    information: Information | None = None
    generalisation: Generalisation | None = None
    tightened: Tightened | None = None
    gaps: Gaps | None = None
    simulated: Sandwich | None = None
    quality: SampleQuality | None = None

    def to_json(self) -> dict[str, Any]:
        """Return a dictionary of plain values."""
        quality = None if self.quality is None else self.quality.to_json()
        return {**asdict(replace(self, quality=None)), "quality": quality}


def summarize(
    found: Evidence,
    examples: Source,
    is_discrete: bool | None,
    name: str = "data",
    split: str | None = None,
) -> Evaluation:
    """Summarize values for each example in a statement."""
    bits, reason = bits_per_dimension(found.log_likelihood, examples, is_discrete)
    variance = found.means.var(dim=0, unbiased=False)
    drawn = None if found.samples == 1 else found.draw_variance
    corrected = None if drawn is None else Estimate.of(found.log_evidence, draw_variance=drawn)
    return Evaluation(
        data=name,
        split=split or "all",
        examples=len(examples),
        samples=found.samples,
        elbo=Estimate.of(found.elbo, draw_variance=known(found.elbo_variance)),
        log_likelihood=Estimate.of(found.log_likelihood, draw_variance=drawn),
        bits_per_dimension=bits,
        bits_per_dimension_reason=reason,
        rate=Estimate.of(found.rate),
        distortion=Estimate.of(found.distortion),
        latents=found.means.shape[1],
        active_units=int((variance > ACTIVE_THRESHOLD).sum()),
        threshold=ACTIVE_THRESHOLD,
        unit_rate=None if found.unit_rate is None else tuple(found.unit_rate.tolist()),
        log_evidence=corrected,
        ladder=tuple(
            Rung(k, Estimate.of(bound, draw_variance=known(found.ladder_variance[k])))
            for k, bound in found.ladder.items()
        ),
        convergence=convergence(found.ladder, found.effective_samples, found.tail),
    )


def bits_per_dimension(
    log_likelihood: Tensor, examples: Source, is_discrete: bool | None
) -> tuple[Estimate | None, str | None]:
    """Return bits for each dimension, or why they are not stated."""
    if examples.observed is not None:
        return None, "some cells are missing, so examples have different numbers of dimensions"
    if is_discrete is None:
        return None, "the likelihood does not say whether it is a probability or a density"
    if not is_discrete:
        why = "x is continuous: log p(x) is a density and depends on the unit of measurement"
        return None, why
    if isinstance(examples, Examples) and examples.lengths is not None:  # ends count, too
        bits = -log_likelihood / (float(examples.lengths.double().mean() + 1) * math.log(2.0))
        return Estimate.of(bits, f"bits per {examples.token}"), None
    bits = -log_likelihood / (math.prod(examples.shape) * math.log(2.0))
    return Estimate.of(bits, "bits per dimension"), None


def known(variance: Tensor) -> Tensor | None:
    """Return a variance over draws, or None where there was one draw only."""
    return None if bool(variance.isnan().any()) else variance
