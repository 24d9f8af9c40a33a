"""A discrete model small enough to enumerate: every expectation of it is a finite sum."""

from dataclasses import replace
from itertools import product

import torch
from torch import Tensor, nn
from torch.distributions import Categorical
from torch.nn.functional import logsigmoid

from lowerbound.data import Batch
from lowerbound.distributions import detached, log_prob
from lowerbound.objectives import Objective
from lowerbound.seeding import seeded
from lowerbound.trace import Bound, Gradient, Trace


class BernoulliMixture(nn.Module):
    """p(z) = Cat(pi), p(x|z) = prod_d Bernoulli(x_d; p_zd), q(z|x) = Cat(softmax(A x + c)).

    No VAE: it has a `trace` of its own. Its exact posterior is of the form of q, so that A and c
    can be set to it.

    Args:
        states: Number `M` of values of z.
        cells: Number of binary cells of x.
        exact: Make q(z|x) the exact posterior; otherwise it is another law.
        seed: Of the parameters.

    Example:
        >>> model = BernoulliMixture(exact=True)
        >>> x = torch.tensor([[1.0, 0.0, 1.0, 1.0]], dtype=torch.float64)
        >>> weights = model.trace(Batch(x), samples=5).log_weight
        >>> bool((weights - model.log_evidence(x)).abs().max() < 1e-12)
        True
    """

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

    def joint(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """log p(x|z) `(M, B)`, log p(z) `(M, 1)` and log q(z|x) `(M, B)` for every value of z."""
        x = batch.filled().double()
        cells = x * logsigmoid(self.cell_logits.unsqueeze(1))
        cells = cells + (1 - x) * logsigmoid(-self.cell_logits.unsqueeze(1))
        if batch.observed is not None:
            cells = torch.where(batch.observed, cells, 0.0)
        log_q = (x @ self.encoder_weight.T + self.encoder_bias).log_softmax(dim=-1).T
        return cells.sum(dim=-1), self.prior_logits.log_softmax(dim=-1).unsqueeze(-1), log_q

    def trace(self, batch: Batch, samples: int = 1, gradient: Gradient = "total") -> Trace:
        """See `lowerbound.LatentVariableModel.trace`; discrete draws have no path."""
        q = Categorical(logits=self.joint(batch)[2].T)
        z = q.sample(torch.Size([samples]))
        trace = self._at(batch, z)
        return replace(trace, log_qz=log_prob(detached(q), z)) if gradient == "path" else trace

    def log_evidence(self, x: Tensor) -> Tensor:
        """log p(x) = log sum_z p(z) p(x|z), `(B,)`, nats."""
        log_px, log_pz, _ = self.joint(Batch(x))
        return (log_px + log_pz).logsumexp(dim=0)

    def log_posterior(self, x: Tensor) -> Tensor:
        """log p(z|x), `(M, B)`."""
        log_px, log_pz, _ = self.joint(Batch(x))
        return (log_px + log_pz).log_softmax(dim=0)

    def expected(self, objective: Objective, batch: Batch) -> Bound:
        """The expectation of an objective over its draws: a sum over all `M^K` of them."""
        _, _, log_q = self.joint(batch)
        states, rows = log_q.shape
        every = torch.tensor(list(product(range(states), repeat=objective.samples)))  # (C, K)
        chance = log_q[every].sum(dim=1).exp()  # (C, B)
        z = every.T.repeat_interleave(rows, dim=1)  # (K, C B)
        many = Batch(
            batch.x.repeat(len(every), 1),
            None if batch.observed is None else batch.observed.repeat(len(every), 1),
        )
        bound = objective.reduce(self._at(many, z))
        parts = (bound.value, bound.distortion, bound.rate)
        return Bound(*((chance * part.reshape(-1, rows)).sum(dim=0) for part in parts))

    def _at(self, batch: Batch, z: Tensor) -> Trace:
        log_px, log_pz, log_q = self.joint(batch)
        kl = (log_q.exp() * (log_q - log_pz)).sum(dim=0)
        return Trace(
            log_px=log_px.gather(0, z),
            log_pz=log_pz.expand_as(log_px).gather(0, z),
            log_qz=log_q.gather(0, z),
            z=z.unsqueeze(-1).double(),
            posterior=Categorical(logits=log_q.T),
            kl={"z": kl.reshape(1, -1, 1)},
        )
