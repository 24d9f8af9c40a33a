"""The linear Gaussian chain: a hierarchical model whose every conditional is known."""

from collections.abc import Mapping, Sequence
from itertools import accumulate, pairwise
from typing import Literal

import torch
from torch import Tensor, nn
from torch.distributions import Distribution, MultivariateNormal, Normal

from lowerbound.core import Batch, Choose, Gradient, Inferred, Latent, Model, Space, Trace, View
from lowerbound.distributions import Independent, log_prob
from lowerbound.errors import SettingError
from lowerbound.seeding import seeded
from lowerbound.testing.references.linear_gaussian import Joint, gaussian_evidence

#: In which order the groups are inferred: down from the top as they are generated, or up from x.
Order = Literal["top-down", "bottom-up"]


class LinearGaussianChain(Model):
    """p(z_L) p(z_{L-1}|z_L) ... p(z_1|z_2) p(x|z_1), every conditional linear and Gaussian.

    z_L ~ N(0, I), z_l ~ N(W_l z_{l+1} + b_l, s_l^2 I), x ~ N(W_0 z_1 + b_0, s_0^2 I). Then all
    conditionals are linear Gaussian too, and the posterior factorises along the chain: top-down,
    q(z_L|x) prod_l q(z_l|z_{l+1}, x), as in a ladder VAE, with a closed form of each group's KL
    given the group above; or bottom-up, q(z_1|x) prod_l q(z_{l+1}|z_l), where the rate has no
    closed form by groups and is drawn.

    Its groups are named "zL" to "z1", top first. Under `given_noise` with noise `(K, B, D)`,
    D = sum(latents), each group takes the next columns, so that `cubature` makes its ELBO exact.

    Args:
        latents: Sizes of z_1, ..., z_L, from the group next to x to the top; at least two groups.
        dimensions: Cells of x.
        order: In which the groups are inferred.
        exact: Make q(z|x) the exact posterior where all cells are observed; otherwise its weights
            are moved at random.

    Raises:
        SettingError: There are fewer than two groups, or an order of another name.

    Source: Roweis & Ghahramani (1999), linear Gaussian models; the bottom-up posterior: Burda,
        Grosse & Salakhutdinov (2016), section 2, arXiv 1509.00519; the top-down one: Sønderby et
        al. (2016), arXiv 1602.02282.

    Example:
        >>> model = LinearGaussianChain(latents=(3, 2), dimensions=4)
        >>> x = model.simulate(5).x
        >>> weights = model.trace(Batch(x), samples=7).log_weight
        >>> bool((weights - model.log_evidence(x)).abs().max() < 1e-9)
        True
    """

    def __init__(
        self,
        latents: Sequence[int] = (3, 2),
        dimensions: int = 4,
        *,
        order: Order = "top-down",
        exact: bool = True,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if len(latents) < 2:
            raise SettingError(
                f"a chain has at least two groups of latents, got {tuple(latents)}; use "
                "LinearGaussian for one"
            )
        if order not in ("top-down", "bottom-up"):
            raise SettingError(f"order must be 'top-down' or 'bottom-up', got {order!r}")
        self.order, self.sizes, self.dimensions = order, tuple(latents), dimensions
        self.view = View()
        sizes = (dimensions, *self.sizes)
        with seeded(seed):
            self.weights = nn.ParameterList(
                [_random(below, above, size=above**-0.5) for below, above in pairwise(sizes)]
            )
            self.biases = nn.ParameterList([_random(size) for size in sizes[:-1]])
            self.log_scales = nn.ParameterList([_random(size=0.2) for _ in sizes[:-1]])
            steps = [self._exact(group) for group in self._groups()]
            shift = 0.0 if exact else 0.1
            for number in (number for step in steps for number in step):
                number.add_(shift * torch.randn_like(number))
        # a step of inference: z = gain (what it conditions on) + offset + factor noise
        self.gains, self.offsets, self.factors = map(nn.ParameterList, zip(*steps, strict=True))

    @property
    def latents(self) -> Mapping[str, Space]:
        """The groups z_L, ..., z_1, named "zL" to "z1"."""
        groups = reversed(range(len(self.sizes)))
        return {f"z{group + 1}": Space((self.sizes[group],)) for group in groups}

    def descend(
        self, choose: Choose, batch: Batch | None = None, condition: Tensor | None = None
    ) -> Distribution:
        """See `Model.descend`.

        Raises:
            SettingError: The groups are inferred from x up, and there is an x.
        """
        if batch is not None and self.order == "bottom-up":
            raise SettingError("a bottom-up chain infers from x up; ask it for a trace")
        x = None if batch is None else self.view(batch).double()
        groups: list[Tensor] = [torch.empty(0)] * len(self.sizes)
        for number, group in enumerate(reversed(range(len(self.sizes)))):
            q = None if x is None else self._conditional(number, x, groups)
            groups[group] = choose(f"z{group + 1}", self._prior(group, groups), q)
        return self._given(groups[0], 0)

    def trace(self, batch: Batch, samples: int = 1, gradient: Gradient = "total") -> Trace:
        """See `Model.trace`; a bottom-up chain draws its groups from x up."""
        if self.order == "top-down":
            return super().trace(batch, samples, gradient)
        if samples < 1:
            raise SettingError(f"samples must be at least 1, got {samples}")
        x = self.view(batch).double()
        groups: list[Tensor] = [torch.empty(0)] * len(self.sizes)
        laws: list[tuple[Distribution, Distribution]] = []
        for group in range(len(self.sizes)):
            q = self._conditional(group, x, groups)
            groups[group] = q.rsample(torch.Size([samples] if group == 0 else []))
            still = self._conditional(group, x, groups, still=True)
            laws.append((q, still if gradient == "path" else q))
        latents = {
            f"z{group + 1}": Latent(groups[group], self._prior(group, groups), *laws[group])
            for group in reversed(range(len(groups)))
        }
        law = self._given(groups[0], 0)
        return Trace(log_prob(law, batch.x, batch.observed), latents, ordered=False)

    def encode(self, batch: Batch) -> Inferred:
        """See `Model.encode`; a bottom-up chain takes its centres from x up."""
        if self.order == "top-down":
            return super().encode(batch)
        x = self.view(batch).double()
        groups: list[Tensor] = [torch.empty(0)] * len(self.sizes)
        laws: list[Distribution] = []
        for group in range(len(self.sizes)):
            laws.append(self._conditional(group, x, groups))
            groups[group] = laws[-1].mean
        named = dict(zip(self.latents, reversed(laws), strict=True))
        return Inferred({name: law.mean for name, law in named.items()}, named)

    def log_evidence(self, x: Tensor, observed: Tensor | None = None) -> Tensor:
        """Return log p(x) of the observed cells of each row, `(B,)`, nats, by its marginal."""
        mean, covariance = self._moments()
        cells = slice(0, self.dimensions)
        return gaussian_evidence(mean[cells], covariance[cells, cells], x.double(), observed)

    def posterior(self, x: Tensor) -> MultivariateNormal:
        """Return p(z|x) of each row, batch `(B,)`, event `(D,)`."""
        mean, covariance = self._moments()
        size = self.dimensions
        gain, within = _condition(covariance, range(size, len(mean)), range(size))
        return MultivariateNormal(mean[size:] + (x - mean[:size]) @ gain.T, within)

    def approximate(self, x: Tensor) -> MultivariateNormal:
        """Return q(z|x) of each row as one Gaussian over all groups, batch `(B,)`, event `(D,)`."""
        # z is affine in the noise: where each unit of noise alone leads are the columns of a factor
        size = sum(self.sizes)
        mean = self._infer(x, x.new_zeros(1, len(x), size))[0]
        origin = x.new_zeros(1, self.dimensions)
        noise = torch.eye(size, dtype=x.dtype).unsqueeze(1)
        rows = self._infer(origin, noise) - self._infer(origin, torch.zeros_like(noise))
        return MultivariateNormal(mean, (rows.transpose(0, 2).squeeze(1) @ rows.squeeze(1)))

    def simulate(self, count: int, seed: int = 0) -> Joint:
        """Draw z ~ p(z) from the top down, then x ~ p(x|z_1)."""
        sizes = (self.dimensions, *self.sizes)
        with seeded(seed), torch.no_grad():
            values = [torch.randn(count, sizes[-1], dtype=torch.float64)]
            for level in reversed(range(len(self.sizes))):
                values.insert(0, self._given(values[0], level).sample())
        return Joint(torch.cat(values[1:], dim=-1), values[0])

    def _groups(self) -> list[int]:
        """Return the groups in the order in which they are inferred; 0 is the one next to x."""
        return list(range(len(self.sizes)))[:: 1 if self.order == "bottom-up" else -1]

    def _given(self, above: Tensor, level: int) -> Independent:
        """Return the law of x (level 0), or of z_level, given the group above it."""
        mean = above @ self.weights[level].T + self.biases[level]
        return Independent(Normal(mean, self.log_scales[level].exp(), validate_args=False), 1)

    def _prior(self, group: int, groups: Sequence[Tensor]) -> Independent:
        """Return p(z_l | z_{l+1}), `group` counted from 0."""
        if group + 1 < len(groups):
            return self._given(groups[group + 1], group + 1)
        zero = self.biases[group].new_zeros(self.sizes[group])
        return Independent(Normal(zero, torch.ones_like(zero), validate_args=False), 1)

    def _conditional(
        self, number: int, x: Tensor, groups: Sequence[Tensor], *, still: bool = False
    ) -> MultivariateNormal:
        """Return the law that inference draws in step `number`, given what it conditions on."""
        parameters = (self.gains[number], self.offsets[number], self.factors[number])
        gain, offset, factor = (p.detach() if still else p for p in parameters)
        mean = self._inputs(number, x, groups) @ gain.T + offset
        diagonal = torch.diagonal(factor).exp()
        whole = factor.tril(-1) + diagonal.diag()
        return MultivariateNormal(mean, scale_tril=whole, validate_args=False)

    def _inputs(self, number: int, x: Tensor, groups: Sequence[Tensor]) -> Tensor:
        """Return the condition of step `number`: x, the group inferred before it, or both."""
        if number == 0:
            return x
        before = groups[self._groups()[number - 1]]
        if self.order == "bottom-up":
            return before
        return torch.cat([x.expand(*before.shape[:-1], -1), before], dim=-1)

    def _infer(self, x: Tensor, noise: Tensor) -> Tensor:
        """Return z as a function of x and of noise `(K, B, D)`."""
        groups = list(noise.split(self.sizes, dim=-1))
        for number, group in enumerate(self._groups()):
            q = self._conditional(number, x, groups)
            groups[group] = q.loc + groups[group] @ q._unbroadcasted_scale_tril.T
        return torch.cat(groups, dim=-1)

    def _moments(self) -> tuple[Tensor, Tensor]:
        """Return mean and covariance of (x, z_1, ..., z_L), affine in independent noise."""
        top = self.sizes[-1]
        means = [torch.zeros(top, dtype=torch.float64)]
        size = self.dimensions + sum(self.sizes)
        mixing = [torch.eye(size, dtype=torch.float64)[size - top :]]
        start = size - top
        for level in reversed(range(len(self.sizes))):
            weight = self.weights[level]
            start -= len(weight)
            own = torch.eye(size, dtype=torch.float64)[start : start + len(weight)]
            means.insert(0, weight @ means[0] + self.biases[level])
            mixing.insert(0, weight @ mixing[0] + self.log_scales[level].exp() * own)
        rows = torch.cat(mixing)
        return torch.cat(means), rows @ rows.T

    @torch.no_grad()
    def _exact(self, group: int) -> tuple[Tensor, Tensor, Tensor]:
        """Return gain, offset and factor of the exact conditional of a group."""
        starts = list(accumulate((self.dimensions, *self.sizes)))
        places = [range(a, b) for a, b in pairwise(starts)]
        order = self._groups()
        at = order.index(group)
        before = list(places[order[at - 1]]) if at else []
        given = before if before and self.order == "bottom-up" else [*range(starts[0]), *before]
        mean, covariance = self._moments()
        gain, within = _condition(covariance, places[group], given)
        factor = torch.linalg.cholesky(within)
        factor = factor.tril(-1) + torch.diagonal(factor).log().diag()
        return gain, mean[list(places[group])] - gain @ mean[given], factor


def _condition(
    covariance: Tensor, wanted: Sequence[int], given: Sequence[int]
) -> tuple[Tensor, Tensor]:
    """Return gain and covariance of some cells of a Gaussian, given others."""
    wanted, given = list(wanted), list(given)
    across = covariance[wanted][:, given]
    gain = torch.linalg.solve(covariance[given][:, given], across.T).T
    return gain, covariance[wanted][:, wanted] - gain @ across.T


def _random(*shape: int, size: float = 1.0) -> nn.Parameter:
    return nn.Parameter(size * torch.randn(shape, dtype=torch.float64))
