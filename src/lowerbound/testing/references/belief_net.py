"""The sigmoid belief net, its hidden states enumerated."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from lowerbound.core import Batch, View
from lowerbound.errors import SettingError
from lowerbound.seeding import seeded
from lowerbound.testing.references.enumerable import Enumerable, every

#: Most numbers in a table of exact posteriors.
LARGEST_TABLE = 1_000_000


class SigmoidBeliefNet(Enumerable):
    """p(h_L) prod_l p(h_l|h_{l+1}) p(x|h_1), every unit Bernoulli(sigmoid(W parents + b)).

    The posterior of its hidden units does not factorise, because they explain each other away:
    a mean-field q(z|x) = prod_i Bernoulli(z_i; sigmoid(A x + c)) cannot be exact. An exact one is a
    table, one law for each of the 3^cells things that can be known of x.

    Args:
        hidden: Units of each hidden layer, from the one next to x up to the top; z is all of
            them in that order, `D` = sum(hidden) latent units and 2^D states.
        cells: Number of binary cells of x.
        exact: Make q(z|x) the exact posterior, also where cells are unobserved; otherwise it is
            mean-field with random weights.

    Raises:
        SettingError: There is no hidden layer, or the table of the exact posterior is too large.

    Source: Neal (1992), "Connectionist learning of belief networks", section 2; the mean-field
        posterior: Saul, Jaakkola & Jordan (1996), arXiv cs/9603102; with an encoder: Mnih &
        Gregor (2014), arXiv 1402.0030.

    Example:
        >>> model = SigmoidBeliefNet(hidden=(2, 2), cells=3, exact=True)
        >>> batch = Batch(torch.tensor([[1.0, 0.0, 1.0]]))
        >>> weights = model.trace(batch, samples=5).log_weight
        >>> bool((weights - model.log_evidence(batch.x)).abs().max() < 1e-12)
        True
    """

    levels = 2

    def __init__(
        self, hidden: Sequence[int] = (3,), cells: int = 4, *, exact: bool = False, seed: int = 0
    ) -> None:
        super().__init__()
        if not hidden or min(hidden) < 1:
            raise SettingError(f"a belief net needs hidden layers with units, got {tuple(hidden)}")
        self.hidden, self.cells = tuple(hidden), cells
        units = sum(hidden)
        if exact and 3**cells * 2**units > LARGEST_TABLE:
            raise SettingError(
                f"the exact posterior of {units} units given {cells} cells is too large a table; "
                "take fewer units or cells, or exact=False"
            )
        with seeded(seed):
            layers = (cells, *self.hidden)
            self.weights = nn.ParameterList([_random(a, b) for a, b in pairwise(layers)])
            self.biases = nn.ParameterList([_random(size) for size in layers])
            self.encoder_weight = None if exact else _random(units, cells)
            self.encoder_bias = None if exact else _random(units)
        self.register_buffer("states", every(2, units), persistent=False)
        self.table: nn.Parameter | None = None
        if exact:
            known = every(3, cells)  # 2 is for a cell of which nothing is known
            log_px, log_pz = self._densities(known.clamp(max=1), (known < 2).double())
            self.table = nn.Parameter((log_px + log_pz).log_softmax(dim=0).detach())

    def joint(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        x = View()(batch).double()
        observed = torch.ones_like(x) if batch.observed is None else batch.observed.double()
        return *self._densities(x, observed), self._log_q(x, observed)

    def _densities(self, x: Tensor, observed: Tensor) -> tuple[Tensor, Tensor]:
        layers = self.states.split(self.hidden, dim=-1)
        logits = self._given(layers[0], 0).unsqueeze(1)  # (M, 1, cells)
        log_px = (observed * _bernoulli(logits, x)).sum(dim=-1)
        log_pz = _bernoulli(self.biases[-1], layers[-1]).sum(dim=-1)
        for level, (below, above) in enumerate(pairwise(layers), start=1):
            log_pz = log_pz + _bernoulli(self._given(above, level), below).sum(dim=-1)
        return log_px, log_pz.unsqueeze(-1)

    def draw(self, state: Tensor) -> Tensor:
        return torch.bernoulli(self._given(self.states[state][:, : self.hidden[0]], 0).sigmoid())

    def _given(self, parents: Tensor, level: int) -> Tensor:
        """Return logits of layer `level` (0 is x) given the layer above it."""
        return parents @ self.weights[level].T + self.biases[level]

    def _log_q(self, x: Tensor, observed: Tensor) -> Tensor:
        if self.table is not None:
            places = 3 ** torch.arange(self.cells).flip(0)
            key = (torch.where(observed > 0, x, 2.0).long() * places).sum(dim=-1)
            return self.table[:, key].log_softmax(dim=0)
        logits = x @ self.encoder_weight.T + self.encoder_bias  # type: ignore[union-attr]
        return _bernoulli(logits, self.states.unsqueeze(1)).sum(dim=-1)


def _random(*shape: int) -> nn.Parameter:
    return nn.Parameter(torch.randn(shape, dtype=torch.float64))


def _bernoulli(logits: Tensor, value: Tensor) -> Tensor:
    """Return the log-probability of 0 or 1 under a logit, elementwise, nats."""
    return value * logsigmoid(logits) + (1 - value) * logsigmoid(-logits)
