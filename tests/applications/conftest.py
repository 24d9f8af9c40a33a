"""A model of a mixed table whose latent takes three values: every conditional is a finite sum."""

from collections.abc import Mapping
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor
from torch.distributions import Bernoulli, Categorical, Distribution, Normal

from lowerbound.core import Batch, Model, Space
from lowerbound.data import Field, Schema
from lowerbound.distributions import Columns, Levels, Product
from lowerbound.testing.references.enumerable import OverStates

SCHEMA = Schema(
    (
        Field("member", "binary", levels=2, categories=("no", "yes")),
        Field("town", "categorical", levels=3, categories=("Bern", "Chur", "Zug"), missing=True),
        Field("visits", "ordinal", levels=4),
        Field("pay", "real", missing=True, decimals=1),
        Field("age", "real", missing=True),
    ),
    (5,),
)
PRIOR = torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64)
MEMBER = torch.tensor([0.1, 0.6, 0.9], dtype=torch.float64)
TOWN = torch.tensor([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.3, 0.1, 0.6]], dtype=torch.float64)
VISITS = torch.tensor(
    [[0.4, 0.3, 0.2, 0.1], [0.1, 0.2, 0.3, 0.4], [0.25, 0.25, 0.25, 0.25]], dtype=torch.float64
)
MEAN = torch.tensor([[0.0, 40.0], [2.0, 30.0], [5.0, 55.0]], dtype=torch.float64)
SCALE = torch.tensor([[1.0, 5.0], [0.5, 3.0], [1.5, 8.0]], dtype=torch.float64)


class Finite(Model):
    """z in {0, 1, 2}; q is a mixture of the prior and the uniform law, whatever x is."""

    @property
    def latents(self) -> Mapping[str, Space]:
        return {"z": Space((1,), discrete=True)}

    def descend(self, choose, batch=None, condition=None) -> Distribution:
        states = torch.arange(3.0, dtype=torch.float64).unsqueeze(-1)
        q = None
        if batch is not None:
            q = OverStates(states, (PRIOR / 2 + 1 / 6).log().expand(len(batch), -1))
        return self.law(choose("z", OverStates(states, PRIOR.log()), q)[..., 0].long())

    def law(self, z: Tensor) -> Product:
        return Product([
            Columns(torch.tensor([0]), Bernoulli(MEMBER[z].unsqueeze(-1), validate_args=False)),
            Columns(torch.tensor([1]), Categorical(TOWN[z].unsqueeze(-2), validate_args=False)),
            Columns(torch.tensor([2]), Levels(VISITS[z].unsqueeze(-2), validate_args=False)),
            Columns(torch.tensor([3, 4]), Normal(MEAN[z], SCALE[z], validate_args=False)),
        ])  # fmt: skip

    def cells(self, x: Tensor) -> Tensor:
        """log p(x_j|z) for every z, `(3, B, 5)`."""
        return self.law(torch.arange(3).unsqueeze(-1)).cells(x)

    def posterior(self, x: Tensor, observed: Tensor) -> Tensor:
        """p(z|x_obs), `(3, B)`."""
        known = torch.where(observed, self.cells(torch.where(observed, x, 0.0)), 0.0).sum(dim=-1)
        return (PRIOR.log().unsqueeze(-1) + known).softmax(dim=0)

    def log_evidence(self, x: Tensor, observed: Tensor | None = None) -> Tensor:
        """log p(x_obs), `(B,)`."""
        observed = torch.ones_like(x, dtype=torch.bool) if observed is None else observed
        known = torch.where(observed, self.cells(torch.where(observed, x, 0.0)), 0.0).sum(dim=-1)
        return (PRIOR.log().unsqueeze(-1) + known).logsumexp(dim=0)


@pytest.fixture(scope="session")
def finite() -> SimpleNamespace:
    """The model, its schema, and rows of it, `(40, 5)`."""
    model = Finite()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        x = model.sample(40).law.sample()
    return SimpleNamespace(
        model=model, schema=SCHEMA, x=x, batch=Batch(x), prior=PRIOR, member=MEMBER, town=TOWN,
        visits=VISITS, mean=MEAN, scale=SCALE,
    )  # fmt: skip
