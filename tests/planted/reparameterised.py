"""Errors in gradients without the score: shares that are not squared, not still, or everywhere."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from lowerbound.core.trace import Bound, Trace
from lowerbound.objectives import ELBO, IWAE, DReG, Objective, StickingTheLanding
from lowerbound.testing.calibration import check_reparameterised
from planted.subject import Subject

REPARAMETERISED = Subject(
    "gradients without the score",
    {
        "doubly": lambda build: check_reparameterised(build, IWAE),
        "sticking": lambda build: check_reparameterised(build, _drawn),
    },
)


def _drawn(samples: int) -> Objective:
    return ELBO(samples, analytic=False)


def _shares(trace: Trace, beta: float) -> tuple[Tensor, Tensor]:
    log_weight = trace.log_px + beta * (trace.log_pz - trace.log_qz)
    return log_weight, log_weight.softmax(dim=0)


@dataclass(frozen=True)
class _Hooked(Objective):
    """The importance-weighted bound; what comes back through z is multiplied by a factor."""

    samples: int = 1
    factor: Callable[[Tensor, float], Tensor] = lambda shares, beta: shares
    gradient = "path"

    def reduce(self, trace: Trace, beta: float = 1.0) -> Bound:
        _, shares = _shares(trace, beta)
        if trace.latents["z"].z.requires_grad:
            factor = self.factor(shares.detach(), beta).unsqueeze(-1)
            trace.latents["z"].z.register_hook(lambda gradient: gradient * factor)
        return IWAE(self.samples).reduce(trace, beta)


@dataclass(frozen=True)
class _Surrogate(Objective):
    """The importance-weighted bound with the gradient of something else."""

    samples: int = 1
    instead: Callable[[Tensor, Tensor], Tensor] = lambda log_weight, shares: log_weight
    gradient = "path"

    def reduce(self, trace: Trace, beta: float = 1.0) -> Bound:
        bound = IWAE(self.samples).reduce(trace, beta)
        learned = self.instead(*_shares(trace, beta))
        return Bound(
            bound.value.detach() + learned - learned.detach(), bound.distortion, bound.rate
        )


def _enter(words: str, says: str, wrong: Any) -> None:
    REPARAMETERISED.enter(words, "doubly", says, wrong, DReG)


def _hooked(words: str, says: str, factor: Callable[[Tensor, float], Tensor]) -> None:
    _enter(words, says, lambda samples: _Hooked(samples, factor))


def _surrogate(words: str, says: str, instead: Callable[[Tensor, Tensor], Tensor]) -> None:
    _enter(words, says, lambda samples: _Surrogate(samples, instead))


_enter("the score is still there", "exact posterior, of every draw", IWAE)
_enter("shares are not squared", "encoder's expected gradient", lambda k: IWAE(k, "path"))
_enter("the mean of log-weights takes the place of the log-mean", "the value", StickingTheLanding)
_hooked(
    "shares are cubed: the logarithm of the mean has one of them already",
    "encoder's expected gradient",
    lambda s, beta: s.square(),
)
_hooked(
    "shares are those of the batch",
    "encoder's expected gradient",
    lambda s, beta: s / s.sum(dim=1, keepdim=True),
)
_hooked(
    "every draw counts 1/K once more", "encoder's expected gradient", lambda s, beta: s / len(s)
)
_hooked(
    "the complement of the share is taken", "encoder's expected gradient", lambda s, beta: 1 - s
)
_hooked("the sign is lost", "encoder's expected gradient", lambda s, beta: -s)
_hooked("the encoder learns nothing", "encoder's expected gradient", lambda s, beta: 0 * s)
_hooked("the weight of the rate is forgotten", "at beta 0.4", lambda s, beta: s)
_surrogate(
    "the decoder's shares are squared, too",
    "decoder's",
    lambda log_weight, s: (s.detach().square() * log_weight).sum(dim=0),
)
_surrogate(
    "shares are not held constant",
    "gradient for",
    lambda log_weight, s: (s * log_weight).sum(dim=0),
)
_surrogate(
    "squared shares are not held constant",
    "gradient for",
    lambda log_weight, s: (s.square() * log_weight).sum(dim=0),
)
_surrogate(
    "squared shares are normalised again",
    "gradient for",
    lambda log_weight, s: ((s.square() / s.square().sum(dim=0)).detach() * log_weight).sum(dim=0),
)


def _sticking(words: str, says: str, wrong: Any) -> None:
    REPARAMETERISED.enter(words, "sticking", says, wrong, StickingTheLanding)


_sticking("the total gradient is taken", "exact posterior, of every draw", _drawn)
_sticking("the rate is in closed form, whose noise does not cancel", "the value", ELBO)
_sticking("draws are weighted", "the value", lambda k: IWAE(k, "path"))
