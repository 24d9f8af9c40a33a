"""Laws of codes: independent variables that take one of some classes each, or one of two."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.distributions import Bernoulli, Categorical, Distribution, constraints
from torch.nn.functional import logsigmoid

from lowerbound.distributions.centre import centre, tempered
from lowerbound.distributions.detach import detached
from lowerbound.distributions.independent import Independent, accumulate, widest
from lowerbound.distributions.mixture import Mixture
from lowerbound.errors import SettingError, ShapeError

#: The most values of z that are gone through.
MOST_STATES = 4096


class CodeLaw(Distribution):
    """A law of `M` variables, each of which takes one of `C` codes and is written as that code.

    Attributes:
        variables: M.
        points: The codes, `(C, d)`; z joins those that the variables take, `(M d,)`. Or codebooks
            that they have in turn, `(L, C, d)`, of L levels.
    """

    has_rsample = False
    variables: int
    points: Tensor

    @property
    def arg_constraints(self) -> dict[str, constraints.Constraint]:
        """None: logits may be anything."""
        return {}

    @property
    def support(self) -> constraints.Constraint:
        """Vectors of codes; the constraint says no more than that they are discrete."""
        return constraints.one_hot  # pyright: ignore[reportReturnType]

    def write(self, digits: Tensor) -> Tensor:
        """Write numbers of codes `(..., M)` as z, `(..., M d)`."""
        if self.points.ndim == 2:
            return self.points[digits].flatten(start_dim=-2)
        level = torch.arange(self.variables, device=digits.device) % len(self.points)
        return self.points[level, digits].flatten(start_dim=-2)


class Codes(CodeLaw):
    """`M` variables, each one of `C` codes given those before it.

    Args:
        points: The codes, `(C, d)`, or codebooks of levels, `(L, C, d)`: see `CodeLaw`.
        variables: M.
        logits: From z, `(..., M d)`, to the logits of every variable, `(..., M, C)`, which depend
            on the variables before it alone.

    Source: van den Oord, Vinyals & Kavukcuoglu (2017), section 3.3, arXiv 1711.00937, for a law of
        codes that is autoregressive.
    """

    def __init__(self, points: Tensor, variables: int, logits: Callable[[Tensor], Tensor]) -> None:
        self.points, self.variables, self.logits = points, variables, logits
        event = variables * points.shape[-1]
        super().__init__(torch.Size(), torch.Size([event]), validate_args=False)

    def expand(self, batch_shape, _instance=None):  # type: ignore[no-untyped-def]
        """Return the same law: it has no batch."""
        return self

    def read(self, value: Tensor) -> Tensor:
        """Return the numbers of the nearest codes of z `(..., M d)`, `(..., M)`."""
        *levels, _, size = self.points.shape
        numbers = nearest(value.unflatten(-1, (-1, *levels, size)), self.points)
        return numbers.flatten(start_dim=-2) if levels else numbers

    def log_prob(self, value: Tensor) -> Tensor:
        """Return log p of codes `(..., M d)`, `(...)`, nats, float64; z has no gradient."""
        value = value.detach().to(self.points.dtype)
        log_p = self.logits(value).log_softmax(dim=-1)
        return accumulate(log_p.gather(-1, self.read(value).unsqueeze(-1)), 2)

    def _walk(self, shape: Sequence[int], choose: Callable[[Tensor], Tensor]) -> Tensor:
        """Choose one variable after the other from its logits."""
        size = self.points.shape[-1]
        z = self.points.new_zeros(*shape, self.variables * size)
        for place in range(self.variables):
            chosen = choose(self.logits(z)[..., place, :])
            book = self.points if self.points.ndim == 2 else self.points[place % len(self.points)]
            z[..., place * size : (place + 1) * size] = book[chosen]
        return z

    @torch.no_grad()
    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:  # type: ignore[override]
        """Draw codes, `(*sample_shape, M d)`."""
        return self._walk(sample_shape, lambda logits: Categorical(logits=logits).sample())

    @torch.no_grad()
    def greedy(self) -> Tensor:
        """Give each variable its likeliest code, given those before it, `(M d,)`."""
        return self._walk((), lambda logits: logits.argmax(dim=-1))


class Settled(Distribution):
    """q(z|x) that gives one value of codes, and nothing else, to each example.

    Its log-probability is 0 there, as an entropy of nothing is. The pull of codes and encoder on
    each other is no part of a bound: it is a term of log q whose value is 0 and which has the
    gradient alone.

    Args:
        value: z, `(B, D)`, with the gradient that the encoder shall receive.
        pull: A loss besides minus the bound, `(B,)`, nats; None for nothing.
    """

    has_rsample = True

    def __init__(self, value: Tensor, pull: Tensor | None = None) -> None:
        self.value, self.pull = value, pull
        super().__init__(value.shape[:-1], value.shape[-1:], validate_args=False)

    @property
    def arg_constraints(self) -> dict[str, constraints.Constraint]:
        """None."""
        return {}

    @property
    def support(self) -> constraints.Constraint:
        """Vectors of codes."""
        return constraints.one_hot  # pyright: ignore[reportReturnType]

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:  # type: ignore[override]
        """Return the value, `(*sample_shape, B, D)`."""
        return self.value.expand(*sample_shape, *self.value.shape)

    def log_prob(self, value: Tensor) -> Tensor:
        """Return 0 at the value, and minus infinity elsewhere, `(...)`, nats, float64."""
        here = (value == self.value).all(dim=-1)
        zero = torch.zeros(here.shape, dtype=widest(value.device), device=value.device)
        if self.pull is not None:
            zero = zero + (self.pull - self.pull.detach())
        return zero.masked_fill(~here, -torch.inf)

    @property
    def mean(self) -> Tensor:
        """The value."""
        return self.value

    @property
    def variance(self) -> Tensor:
        """None."""
        return torch.zeros_like(self.value)


def nearest(vectors: Tensor, points: Tensor) -> Tensor:
    """Return the numbers of the nearest points, `(...)`, of vectors `(..., d)` to `(C, d)`.

    Or of `(..., L, d)` to `(L, C, d)`, `(..., L)`.
    """
    if points.ndim == 3:
        books = zip(vectors.unbind(dim=-2), points, strict=True)
        return torch.stack([nearest(vector, book) for vector, book in books], dim=-1)
    return (points.square().sum(dim=-1) - 2 * vectors @ points.mT).argmin(dim=-1)


class OneHot(CodeLaw):
    """`M` independent variables of `C` classes, each written as C numbers of which one is 1.

    Args:
        logits: `(..., M, C)`, of any sum.

    Example:
        >>> q = OneHot(torch.zeros(2, 3))
        >>> q.event_shape, round(float(q.log_prob(torch.tensor([1.0, 0, 0, 0, 1, 0]))), 4)
        (torch.Size([6]), -2.1972)
    """

    def __init__(self, logits: Tensor) -> None:
        self.variables = logits.shape[-2]
        self.logits = logits - logits.logsumexp(dim=-1, keepdim=True)
        event = logits.shape[-1] * logits.shape[-2]
        super().__init__(logits.shape[:-2], torch.Size([event]), validate_args=False)

    def expand(self, batch_shape, _instance=None):  # type: ignore[no-untyped-def]
        """Return the same law under a larger batch shape."""
        return OneHot(self.logits.expand(*batch_shape, *self.logits.shape[-2:]))

    @property
    def points(self) -> Tensor:  # type: ignore[override]
        """A 1 in each place, `(C, C)`."""
        classes = self.logits.shape[-1]
        return torch.eye(classes, dtype=self.logits.dtype, device=self.logits.device)

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
    if isinstance(law, CodeLaw):
        variables, classes = law.variables, law.points.shape[-2]
    elif logits is not None:
        variables, classes = logits.shape[-2:]
    else:
        raise SettingError("values are listed of classes and bits; use another estimator")
    if classes**variables > MOST_STATES:
        raise SettingError(
            f"{variables} variables of {classes} classes have {classes}^{variables} values, more "
            f"than the {MOST_STATES} that are gone through; use estimator=rloo"
        )
    like = points_of(law)
    digits = torch.cartesian_prod(*[torch.arange(classes, device=like.device)] * variables)
    digits = digits.reshape(-1, variables)
    return law.write(digits) if isinstance(law, CodeLaw) else digits.to(like.dtype)


def points_of(law: Distribution) -> Tensor:
    """Return the codes of each variable of a law, as `CodeLaw` has them; `SettingError` if none."""
    if isinstance(law, Mixture):
        return points_of(law.components)
    if isinstance(law, CodeLaw):
        return law.points
    logits = _logits(law)
    if logits is None:
        raise SettingError(f"{type(law).__name__} is no law of codes, whose values can be listed")
    return torch.tensor([[0.0], [1.0]], dtype=logits.dtype, device=logits.device)


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
        raise SettingError("draws between codes are for classes and bits; use another estimator")
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


@centre.register
def _(distribution: Codes) -> Tensor:
    return distribution.greedy()


@tempered.register
def _(distribution: Codes, temperature: float) -> Distribution:
    return Codes(
        distribution.points,
        distribution.variables,
        lambda value: distribution.logits(value) / temperature,
    )


@detached.register
def _(distribution: Settled) -> Settled:
    return Settled(distribution.value.detach())
