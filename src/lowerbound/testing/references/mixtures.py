"""Mixtures of discrete cells, their components enumerated."""

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid, one_hot

from lowerbound.core import Batch, View
from lowerbound.seeding import seeded
from lowerbound.testing.references.enumerable import Enumerable, every


class BernoulliMixture(Enumerable):
    """p(z) = Cat(pi), p(x|z) = prod_d Bernoulli(x_d; p_zd), q(z|x) = Cat(softmax(A x + c)).

    Its exact posterior is of the form of q, so that A and c can be set to it.

    Args:
        states: Number `M` of values of z, which are 0 ... M - 1, one latent unit.
        cells: Number of binary cells of x.
        exact: Make q(z|x) the exact posterior where all cells are observed; otherwise it is
            another law.

    Source: Lazarsfeld & Henry (1968), latent class analysis; Bishop (2006), section 9.3.3.

    Example:
        >>> model = BernoulliMixture(exact=True)
        >>> x = torch.tensor([[1.0, 0.0, 1.0, 1.0]], dtype=torch.float64)
        >>> weights = model.trace(Batch(x), samples=5).log_weight
        >>> bool((weights - model.log_evidence(x)).abs().max() < 1e-12)
        True
    """

    levels = 2

    def __init__(
        self, states: int = 3, cells: int = 4, *, exact: bool = False, seed: int = 0
    ) -> None:
        super().__init__()
        with seeded(seed):
            numbers = [torch.randn(s, dtype=torch.float64) for s in ((states,), (states, cells))]
            wrong = [torch.randn(s, dtype=torch.float64) for s in ((states, cells), (states,))]
        self.prior_logits, self.cell_logits = (nn.Parameter(number) for number in numbers)
        if exact:
            outside = logsigmoid(-numbers[1]).sum(dim=-1)
            wrong = [numbers[1], numbers[0].log_softmax(dim=-1) + outside]
        self.encoder_weight, self.encoder_bias = (nn.Parameter(number) for number in wrong)
        self.cells = cells
        self.register_buffer("states", every(states, 1), persistent=False)

    def joint(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        x = View()(batch).double()
        cells = x * logsigmoid(self.cell_logits.unsqueeze(1))
        cells = cells + (1 - x) * logsigmoid(-self.cell_logits.unsqueeze(1))
        if batch.observed is not None:
            cells = torch.where(batch.observed, cells, 0.0)
        log_q = (x @ self.encoder_weight.T + self.encoder_bias).log_softmax(dim=-1).T
        return cells.sum(dim=-1), self.prior_logits.log_softmax(dim=-1).unsqueeze(-1), log_q

    def draw(self, state: Tensor) -> Tensor:
        return torch.bernoulli(self.cell_logits[state].sigmoid())


class CategoricalMixture(Enumerable):
    """p(z) = Cat(pi), p(x|z) = prod_d Cat(x_d; p_zd), q(z|x) = Cat(softmax(c + sum_d A_d,x_d)).

    The exact posterior is of the form of q, whichever cells are observed: an unobserved one adds
    nothing to the sum.

    Args:
        states: Number `M` of values of z, which are 0 ... M - 1, one latent unit.
        cells: Number of cells of x.
        levels: Number of values of a cell; with 2 it is a `BernoulliMixture`.
        exact: Make q(z|x) the exact posterior; otherwise it is another law.

    Source: Goodman (1974), Biometrika 61(2), latent class analysis of polytomous items.
    """

    def __init__(
        self,
        states: int = 3,
        cells: int = 3,
        levels: int = 3,
        *,
        exact: bool = False,
        seed: int = 0,
    ) -> None:
        super().__init__()
        shapes = [(states,), (states, cells, levels)]
        with seeded(seed):
            numbers = [torch.randn(shape, dtype=torch.float64) for shape in shapes]
            wrong = [torch.randn(shape, dtype=torch.float64) for shape in shapes]
        if exact:
            wrong = [number.log_softmax(dim=-1) for number in numbers]
        self.prior_logits, self.cell_logits = (nn.Parameter(number) for number in numbers)
        self.encoder_bias, self.encoder_weight = (nn.Parameter(number) for number in wrong)
        self.cells, self.levels = cells, levels
        self.register_buffer("states", every(states, 1), persistent=False)

    def joint(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        known = one_hot(View()(batch).long(), self.levels).double()
        if batch.observed is not None:
            known = known * batch.observed.unsqueeze(-1)
        log_px = torch.einsum("bdl,mdl->mb", known, self.cell_logits.log_softmax(dim=-1))
        scores = torch.einsum("bdl,mdl->mb", known, self.encoder_weight)
        log_q = (scores + self.encoder_bias.unsqueeze(-1)).log_softmax(dim=0)
        return log_px, self.prior_logits.log_softmax(dim=-1).unsqueeze(-1), log_q

    def draw(self, state: Tensor) -> Tensor:
        chance = self.cell_logits[state].softmax(dim=-1).flatten(end_dim=1)
        return chance.multinomial(1).reshape(len(state), self.cells)
