"""Rules for a law of codes, whose every value can be listed."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from lowerbound import priors
from lowerbound.core import Batch
from lowerbound.distributions import analytic_kl, centre, log_prob
from lowerbound.distributions.codes import every_value
from lowerbound.likelihoods import Bernoulli, Fields
from lowerbound.models import VAE
from lowerbound.networks import MLP
from lowerbound.objectives import Enumerated, Objective
from lowerbound.posteriors import BernoulliPosterior
from lowerbound.seeding import seeded
from lowerbound.testing.assertions import assert_mean, check_close
from lowerbound.testing.laws import DRAWS


def check_codes(q: Distribution, name: str) -> int:
    """Assert that chances sum to one, that draws follow them, and that the centre is a code.

    Args:
        q: Of codes, batch `(B,)` or `()`, event `(D,)`, float64.
        name: Its name in messages.

    Returns:
        How many values there are.
    """
    values = every_value(q)
    listed = values.reshape(len(values), *(1,) * len(q.batch_shape), -1)
    log_p = log_prob(q, listed.expand(len(values), *q.batch_shape, -1)).detach()
    check_close(log_p.logsumexp(dim=0), torch.zeros(()), f"the log of the sum of {name}")
    z = q.sample(torch.Size([DRAWS]))
    known = (z.unsqueeze(-2) == values).all(dim=-1).any(dim=-1)
    if not bool(known.all()):
        raise AssertionError(f"a draw of {name} is no code")
    outer = torch.einsum("si,sj->sij", values, values)
    moments = torch.einsum("s...,sij->...ij", log_p.exp(), outer)
    drawn = torch.einsum("n...i,n...j->n...ij", z, z)
    assert_mean(drawn, moments, resolves=0.06, name=f"products of draws of {name}")
    middle = centre(q)
    if not bool((middle.unsqueeze(-2) == values).all(dim=-1).any(dim=-1).all()):
        raise AssertionError(f"the centre of {name} is no code")
    return len(values)


def check_kl_of_codes(q: Distribution, p: Distribution) -> None:
    """Assert that KL(q || p) in closed form is the sum over all values, both of batch `(1,)`."""
    values = every_value(q).unsqueeze(1)
    log_q, log_p = log_prob(q, values), log_prob(p, values)
    closed = analytic_kl(q, p)
    if closed is None:
        raise AssertionError("two laws of codes have a KL in closed form, and none was found")
    total = (log_q.exp() * (log_q - log_p)).sum(dim=0)
    check_close(closed.sum(dim=-1).detach(), total.detach(), "the closed KL(q || p)")


def check_gradient_of_codes(make: Callable[[], Objective], draws: int = DRAWS) -> None:
    """Assert that an objective's gradient for the encoder of bits is that of the exact sum.

    Two bits, whose chances depend on x by a bias for each row, and a decoder in which both matter.

    Args:
        make: Makes the objective.
        draws: Rows of one and the same x, each with its own estimate.
    """
    with seeded(0):
        network = MLP((2,), (1, 3), hidden=())
        prior = priors.Bernoulli(2)
        with torch.no_grad():
            network.linear[0].weight.mul_(6.0)
            prior.logits.copy_(torch.tensor([0.7, -0.4]))
        law = Fields(network, Bernoulli())
        model = VAE(prior, BernoulliPosterior(nn.Identity()), law).double()
        x = torch.tensor([[1.0, 0.0, 1.0]], dtype=torch.float64)
        logits = torch.tensor([[0.3, -0.8]], dtype=torch.float64)

        def gradient(objective: Objective, rows: int) -> Tensor:
            leaf = logits.expand(rows, -1).clone().requires_grad_()
            model.view = _Instead(leaf.unsqueeze(-2))  # type: ignore[assignment]
            value = objective(model, Batch(x.expand(rows, -1))).value
            return torch.autograd.grad(value.sum(), leaf)[0]

        drawn, exact = gradient(make(), draws), gradient(Enumerated(), 1)
        assert_mean(drawn, exact[0], resolves=0.1, name="the gradient of draws of codes")


class _Instead(nn.Module):
    """A view that shows the same whatever the batch is."""

    def __init__(self, shown: Tensor) -> None:
        super().__init__()
        self.shown = shown

    def forward(self, batch: Batch) -> Tensor:
        return self.shown
