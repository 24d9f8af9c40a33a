"""Laws of codes: independent variables that take one of some classes each, or one of two."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.distributions import Bernoulli, Distribution, constraints
from torch.nn.functional import logsigmoid, one_hot

from lowerbound.distributions.centre import centre, tempered
from lowerbound.distributions.detach import detached
from lowerbound.distributions.independent import Independent, accumulate
from lowerbound.errors import SettingError, ShapeError

#: The most values of z that are gone through.
MOST_STATES = 4096


class OneHot(Distribution):
    """`M` independent variables of `C` classes, each written as C numbers of which one is 1.

    Args:
        logits: `(..., M, C)`, of any sum.

    Example:
        >>> q = OneHot(torch.zeros(2, 3))
        >>> q.event_shape, round(float(q.log_prob(torch.tensor([1.0, 0, 0, 0, 1, 0]))), 4)
        (torch.Size([6]), -2.1972)
    """

    has_rsample = False

    @property
    def arg_constraints(self) -> dict[str, constraints.Constraint]:
        """None: logits may be anything."""
        return {}

    @property
    def support(self) -> constraints.Constraint:
        """Rows of which one number is 1."""
        return constraints.one_hot  # pyright: ignore[reportReturnType]

    def __init__(self, logits: Tensor) -> None:
        self.logits = logits - logits.logsumexp(dim=-1, keepdim=True)
        event = logits.shape[-1] * logits.shape[-2]
        super().__init__(logits.shape[:-2], torch.Size([event]), validate_args=False)

    def expand(self, batch_shape, _instance=None):  # type: ignore[no-untyped-def]
        """Return the same law under a larger batch shape."""
        return OneHot(self.logits.expand(*batch_shape, *self.logits.shape[-2:]))

    @property
    def mean(self) -> Tensor:
        """The chance of each class, `(..., D)`."""
        return self.logits.exp().flatten(start_dim=-2)

    @property
    def variance(self) -> Tensor:
        """Of each of the D numbers."""
        return self.mean * (1 - self.mean)

    def noisy(self, shape: Sequence[int] = ()) -> Tensor:
        """Add Gumbel noise to the logits, `(*shape, ..., M, C)`."""
        uniform = torch.rand(
            (*shape, *self.logits.shape), dtype=self.logits.dtype, device=self.logits.device
        )
        # log of 0, and of 1, is no noise
        tiny = torch.finfo(uniform.dtype).tiny
        last = 1 - torch.finfo(uniform.dtype).eps
        return self.logits - (-uniform.clamp(tiny, last).log()).log()

    @torch.no_grad()
    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:  # type: ignore[override]
        """Draw one-hot codes: the largest of the noisy logits."""
        return _hot(self.noisy(sample_shape))

    def log_prob(self, value: Tensor) -> Tensor:
        """Return log p of one-hot codes `(..., D)`, nats, float64."""
        variables = value.unflatten(-1, self.logits.shape[-2:])
        return accumulate(variables * self.logits, 2)


def _hot(numbers: Tensor) -> Tensor:
    """Put 1 at the largest number of each variable, `(..., M, C)` to `(..., M C)`."""
    place = numbers.argmax(dim=-1, keepdim=True)
    return torch.zeros_like(numbers).scatter_(-1, place, 1.0).flatten(start_dim=-2)


def kl_of_codes(q: Distribution, p: Distribution) -> Tensor | None:
    """Return KL(q || p) of each variable, `(..., M)`, nats, float64; None if one is no code.

    Raises:
        ShapeError: The laws have other variables, or of other numbers of classes.
    """
    of_q, of_p = _logits(q), _logits(p)
    if of_q is None or of_p is None:
        return None
    if of_q.shape[-2:] != of_p.shape[-2:]:
        (m, c), (n, d) = of_q.shape[-2:], of_p.shape[-2:]
        raise ShapeError(
            f"the posterior has {m} variables of {c} classes, the prior {n} of {d}; give both the "
            "same kind, and posterior.classes and prior.classes the same number"
        )
    log_q = of_q.double()
    return (log_q.exp() * (log_q - of_p.double())).sum(dim=-1)


def is_discrete(law: Distribution) -> bool:
    """Tell whether a law of z is one of codes."""
    try:
        return bool(law.support.is_discrete)  # type: ignore[union-attr]
    except (NotImplementedError, AttributeError):
        return False


def every_value(law: Distribution) -> Tensor:
    """List the values that a law of codes can take.

    Returns:
        `(S, D)`.

    Raises:
        SettingError: The law has more than `MOST_STATES` values, or is none of codes.
    """
    logits = _logits(law)
    if logits is None:
        raise SettingError(f"{type(law).__name__} is no law of codes, whose values can be listed")
    variables, classes = logits.shape[-2:]
    if classes**variables > MOST_STATES:
        raise SettingError(
            f"{variables} variables of {classes} classes have {classes}^{variables} values, more "
            f"than the {MOST_STATES} that are gone through; use estimator=rloo"
        )
    like = law.mean
    digits = torch.cartesian_prod(*[torch.arange(classes, device=like.device)] * variables)
    digits = digits.reshape(-1, variables)
    if not isinstance(law, OneHot):
        return digits.to(like.dtype)
    return one_hot(digits, classes).flatten(start_dim=1).to(like.dtype)


def relaxed(law: Distribution, temperature: float, samples: int) -> Tensor:
    """Draw between the codes, with a gradient: the nearer to a code, the lower the temperature.

    Args:
        law: Of codes, batch `(B,)`.
        temperature: Positive.
        samples: Number `K` of draws.

    Returns:
        `(K, B, D)`.

    Source: Jang, Gu & Poole (2017), section 2, arXiv 1611.01144; Maddison, Mnih & Teh (2017),
        arXiv 1611.00712.
    """
    logits = _logits(law)
    if logits is None:
        raise SettingError(f"{type(law).__name__} is no law of codes; use estimator=rloo")
    drawn = (OneHot(logits).noisy([samples]) / temperature).softmax(dim=-1)
    return drawn.flatten(start_dim=-2) if isinstance(law, OneHot) else drawn[..., 0]


def _logits(law: Distribution) -> Tensor | None:
    """Return log p of each class of each variable, `(..., M, C)`; of a bit, of 1 and of 0."""
    if isinstance(law, OneHot):
        return law.logits
    base = law.base_dist if isinstance(law, Independent) else None
    if not isinstance(base, Bernoulli):
        return None
    return torch.stack([logsigmoid(base.logits), logsigmoid(-base.logits)], dim=-1)


@centre.register
def _(distribution: OneHot) -> Tensor:
    return _hot(distribution.logits)


@tempered.register
def _(distribution: OneHot, temperature: float) -> Distribution:
    return OneHot(distribution.logits / temperature)


@tempered.register
def _(distribution: Bernoulli, temperature: float) -> Distribution:
    return Bernoulli(logits=distribution.logits / temperature, validate_args=False)


@detached.register
def _(distribution: OneHot) -> OneHot:
    held = OneHot(distribution.logits.detach())
    held.logits = distribution.logits.detach()  # to the bit: their sum is 1 already
    return held


@detached.register
def _(distribution: Bernoulli) -> Bernoulli:
    return Bernoulli(logits=distribution.logits.detach(), validate_args=False)
