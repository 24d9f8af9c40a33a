"""Bounds for latents that are codes: draws have no gradient, so each brings its own."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.distributions import Distribution

from lowerbound.core.batch import Batch
from lowerbound.core.trace import Bound, Trace, Traceable
from lowerbound.distributions.codes import every_value, relaxed
from lowerbound.errors import SettingError
from lowerbound.objectives.elbo import ELBO, mean_of_draws, penalty_of, rate_of
from lowerbound.objectives.objective import Objective, whole


@dataclass(frozen=True)
class RLOO(Objective):
    """The ELBO of codes, its encoder's gradient by scores, each draw against the others.

    The value is the mean of f_k = log p(x, z_k) - log q(z_k|x). Its encoder receives

        1/K sum_k (f_k - mean_{j != k} f_j) d log q(z_k|x) / d phi,

    which is unbiased for any law that can be drawn from.

    Args:
        samples: Draws `K` of z for each example, at least 2.

    Raises:
        SettingError: There are fewer than 2 draws; or z has a gradient of its own, which `ELBO`
            takes with less noise (raised by `trace`).

    Source: Kool, van Hoof & Welling (2019), ICLR workshop "Buy 4 REINFORCE samples, get a baseline
        for free"; Mnih & Rezende (2016), section 2.3, arXiv 1602.06725.
    """

    samples: int = 4
    formula = ELBO.formula
    scores = True

    def __post_init__(self) -> None:
        whole("samples", self.samples, 2)

    def trace(self, model: Traceable, batch: Batch) -> Trace:
        """See `Objective.trace`; for codes alone."""
        trace = model.trace(batch, self.samples)
        for name, latent in trace.latents.items():
            if latent.q.has_rsample:
                raise SettingError(
                    f"group '{name}' is no code: its draws have a gradient; use elbo"
                )
        return trace

    def reduce(self, trace: Trace, beta: float = 1.0) -> Bound:
        """See `Objective.reduce`: the drawn ELBO, and a term of value 0 that has the gradient."""
        log_qz = trace.log_qz
        f = trace.log_px + beta * (trace.log_pz - log_qz)
        others = (f.sum(dim=0) - f) / (len(f) - 1)
        # detached: the weights of the scores are numbers
        score = ((f - others).detach() * (log_qz - log_qz.detach())).mean(dim=0)
        rate = mean_of_draws(log_qz - trace.log_pz)
        return Bound(f.mean(dim=0) + score - penalty_of(trace), -trace.log_px.mean(dim=0), rate)


@dataclass(frozen=True)
class Listing(Trace):
    """A trace at every value of z, `(S, B)`, in place of draws."""


@dataclass(frozen=True)
class Enumerated(Objective):
    """The ELBO of codes as a sum over all values of z: no draw, no noise.

    Under draws, as an evaluation makes them, it is the drawn ELBO.

    Raises:
        SettingError: There are more than 4,096 values of z, or more than one group of latents
            (raised by `trace`).
    """

    samples: int = 1
    formula = "sum_z q(z|x) (log p(x, z) - log q(z|x))"
    scores = True

    def trace(self, model: Traceable, batch: Batch) -> Trace:
        """Trace the model at every value of z."""

        def pick(name: str, p: Distribution, q: Distribution) -> tuple[Tensor, Distribution]:
            values = every_value(q).unsqueeze(1)
            return values.expand(-1, len(batch), -1), q

        trace = model.trace_by(pick, batch)
        if len(trace.latents) > 1:
            raise SettingError("the values of one group are gone through; use estimator=rloo")
        return Listing(trace.log_px, trace.latents, trace.penalties)

    def reduce(self, trace: Trace, beta: float = 1.0) -> Bound:
        """See `Objective.reduce`."""
        if not isinstance(trace, Listing):
            return ELBO().reduce(trace, beta)
        chance = trace.log_qz.exp()
        distortion = -(chance * trace.log_px).sum(dim=0)
        rate = (chance * (trace.log_qz - trace.log_pz)).sum(dim=0)
        return Bound(-distortion - beta * rate - penalty_of(trace), distortion, rate)


@dataclass(frozen=True)
class Gumbel(Objective):
    """An ELBO of codes in which z lies between the codes, so that its draws have a gradient.

    The decoder is shown softmax((l + g) / t) in place of codes; the rate is that of codes. It is no
    bound on log p(x): held-out examples are judged by the ELBO of codes.

    Args:
        samples: Draws `K` of z for each example.
        temperature: t; lower is nearer to codes, and noisier.

    Raises:
        SettingError: The temperature is under 0.1; or the rate has no closed form (raised by
            `reduce`).

    Source: Jang, Gu & Poole (2017), arXiv 1611.01144, with the rate of the categorical law;
        Maddison, Mnih & Teh (2017), appendix C.3, arXiv 1611.00712, on that choice.
    """

    samples: int = 1
    temperature: float = 0.5
    formula = "E[log p(x|z~)] - KL(q(z|x) || p(z)), z~ relaxed"
    is_bound = False
    scores = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (math.isfinite(self.temperature) and self.temperature >= 0.1):
            raise SettingError(f"temperature must be at least 0.1, got {self.temperature!r}")

    @property
    def criterion(self) -> Objective:
        """The ELBO of codes."""
        return ELBO(self.samples)

    def trace(self, model: Traceable, batch: Batch) -> Trace:
        """Trace the model between the codes."""
        return model.trace_by(
            lambda name, p, q: (relaxed(q, self.temperature, self.samples), q), batch
        )

    def reduce(self, trace: Trace, beta: float = 1.0) -> Bound:
        """See `Objective.reduce`."""
        if len(trace.kl) < len(trace.latents):
            raise SettingError("a relaxed bound needs a rate in closed form; use estimator=rloo")
        log_px, rate = trace.log_px.mean(dim=0), rate_of(trace)
        return Bound(log_px - beta * rate - penalty_of(trace), -log_px, rate)


def check_gradient(objective: Objective, trace: Trace) -> None:
    """Raise `SettingError` where draws of z have no gradient and the objective gives none.

    An ELBO of codes would teach the encoder its rate alone, and nobody would see it.
    """
    if objective.scores or not torch.is_grad_enabled():
        return
    for name, latent in trace.latents.items():
        if not latent.q.has_rsample:
            raise SettingError(
                f"draws of group '{name}' have no gradient, and {type(objective).__name__} gives "
                "the encoder none; use --model discrete, or objectives.RLOO"
            )
