"""Gradients for codes: exact sums, and estimators whose mean is known from them."""

import pytest
import torch

import lowerbound as lb
from lowerbound.catalogue import build
from lowerbound.core import Batch
from lowerbound.distributions import OneHot, analytic_kl, log_prob
from lowerbound.distributions.codes import every_value, relaxed
from lowerbound.errors import SettingError, ShapeError
from lowerbound.likelihoods import Bernoulli, Fields
from lowerbound.models import VAE
from lowerbound.networks import MLP
from lowerbound.objectives import ELBO, RLOO, Annealed, DisARM, Enumerated, Gumbel
from lowerbound.posteriors import BernoulliPosterior, CategoricalPosterior
from lowerbound.priors import Bernoulli as Bits
from lowerbound.priors import Categorical
from lowerbound.testing import assert_mean, check_close
from lowerbound.training import WarmUp
from lowerbound.training.bound import bound_of

KINDS = ("categorical", "bernoulli")


def small(kind, seed=0):
    torch.manual_seed(seed)
    decoder = Fields(MLP((4,), (1, 3), hidden=()), Bernoulli())
    network = MLP((3,), (1, 4), hidden=(5,))
    if kind == "categorical":
        model = VAE(Categorical(4, 2), CategoricalPosterior(network, classes=2), decoder)
    else:
        model = VAE(Bits(4), BernoulliPosterior(network), decoder)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.5 * torch.randn_like(parameter))
        decoder.network.linear[0].weight.mul_(6.0)  # z matters, and so does its score
    return model.double(), Batch(torch.tensor([[1.0, 0, 1], [0, 0, 1]]).double())


class Shifted(torch.nn.Module):
    """A network whose outputs are moved, row by row."""

    def __init__(self, network, shifts):
        super().__init__()
        self.network, self.shifts = network, shifts

    def forward(self, x):
        return self.network(x) + self.shifts[: len(x)].unsqueeze(-2)


def by_hand(model, batch):
    """sum_z q(z|x) (log p(x, z) - log q(z|x)), and log sum_z p(x, z)."""
    q = model.posterior(batch.x)
    z = every_value(q).unsqueeze(1).expand(-1, len(batch), -1)
    log_px, log_pz = model.log_joint(batch, {"z": z})
    log_q = log_prob(q, z)
    value = (log_q.exp() * (log_px + log_pz - log_q)).sum(dim=0)
    return value, (log_px + log_pz).logsumexp(dim=0)


@pytest.mark.parametrize("kind", KINDS)
def test_the_sum_over_all_codes_is_the_elbo_and_its_rate_the_closed_form(kind):
    model, batch = small(kind)
    bound = Enumerated()(model, batch)
    value, evidence = by_hand(model, batch)
    check_close(bound.value, value, "the ELBO")
    assert (bound.value < evidence).all()
    closed = analytic_kl(model.posterior(batch.x), model.prior()).sum(dim=-1)
    check_close(bound.rate, closed, "the rate")
    half = Enumerated().reduce(Enumerated().trace(model, batch), 0.5)
    check_close(half.value, -bound.distortion - 0.5 * closed, "the ELBO at half the rate")


@pytest.mark.parametrize("kind", KINDS)
def test_the_mean_gradient_of_scores_is_that_of_the_sum(kind):
    model, batch = small(kind)
    rows = Batch(batch.x[:1].expand(20_000, -1))
    # one shift of the encoder's logits for each row: a gradient for each draw
    shifts = torch.zeros(20_000, 4, dtype=torch.float64, requires_grad=True)
    model.posterior.network = Shifted(model.posterior.network, shifts)
    (drawn,) = torch.autograd.grad(RLOO(samples=3)(model, rows).value.sum(), shifts)
    (known,) = torch.autograd.grad(by_hand(model, batch.rows(slice(0, 1)))[0].sum(), shifts)
    assert_mean(drawn, known[0], resolves=0.1, name="the gradient by scores")
    # the ELBO of today's draws has no score, and misses it
    (biased,) = torch.autograd.grad(ELBO()(model, rows).value.sum(), shifts)
    assert ((biased.mean(dim=0) - known[0]).abs() > 0.2).any()


def test_the_mean_gradient_of_mirrored_pairs_is_that_of_the_sum_with_less_noise():
    model, batch = small("bernoulli")
    rows = Batch(batch.x[:1].expand(20_000, -1))
    shifts = torch.zeros(20_000, 4, dtype=torch.float64, requires_grad=True)
    model.posterior.network = Shifted(model.posterior.network, shifts)
    bound = DisARM(samples=2)(model, rows)
    (drawn,) = torch.autograd.grad(bound.value.sum(), shifts)
    value, _ = by_hand(model, batch.rows(slice(0, 1)))
    (known,) = torch.autograd.grad(value.sum(), shifts)
    assert_mean(drawn, known[0], resolves=0.1, name="the gradient by pairs")
    assert_mean(bound.value, value.detach(), resolves=0.1, name="the ELBO by pairs")
    (scores,) = torch.autograd.grad(RLOO(samples=2)(model, rows).value.sum(), shifts)
    assert drawn.var(dim=0).sum() < scores.var(dim=0).sum()


def test_pairs_are_for_bits_and_even_numbers_of_draws():
    model, batch = small("categorical")
    with pytest.raises(SettingError, match="none of bits, which are mirrored"):
        DisARM()(model, batch)
    with pytest.raises(SettingError, match="even number, got 3"):
        DisARM(3)


def test_the_value_of_scores_is_the_drawn_elbo():
    model, batch = small("categorical")
    torch.manual_seed(1)
    value = RLOO(samples=4)(model, batch).value
    torch.manual_seed(1)
    check_close(value, ELBO(4, analytic=False)(model, batch).value, "the ELBO")


def test_an_elbo_without_scores_is_refused_in_a_training_and_not_in_an_evaluation():
    model, batch = small("categorical")
    for objective in (ELBO(), lb.IWAE(3), Annealed(ELBO(), WarmUp(0.5)).at(0.2)):
        with pytest.raises(SettingError, match=r"draws of group 'z' have no gradient.*RLOO"):
            bound_of(model, objective, batch)
        with torch.no_grad():
            bound_of(model, objective, batch)
    for objective in (RLOO(), Enumerated(), Gumbel(), Annealed(RLOO(), WarmUp(0.5)).at(0.2)):
        assert torch.isfinite(bound_of(model, objective, batch)[0]).all()


def test_scores_are_refused_where_draws_have_a_gradient():
    model, _ = build("vae", lb.read("digits", limit=50).schema, latents=2, hidden=(4,))
    with pytest.raises(SettingError, match="is no code"):
        RLOO()(model, Batch(torch.zeros(2, 1, 8, 8, dtype=torch.uint8)))


@pytest.mark.parametrize("kind", KINDS)
def test_a_cold_relaxation_is_a_draw_of_codes_and_is_judged_by_them(kind):
    model, batch = small(kind)
    q = model.posterior(batch.x[:1])
    soft = relaxed(q, 0.1, 20_000)[:, 0]
    assert soft.requires_grad and not torch.isin(soft, torch.tensor([0.0, 1.0])).all()
    near = soft.detach().round()
    # where the noise all but ties nothing is near a code: the mean of rounded draws still is q's
    assert_mean(near, q.mean[0].detach(), resolves=0.05, name="rounded relaxed draws")
    assert isinstance(Gumbel().criterion, ELBO) and not Gumbel().is_bound
    with pytest.raises(SettingError, match=r"at least 0\.1"):
        Gumbel(temperature=0.01)


def test_more_values_than_can_be_gone_through_are_refused():
    with pytest.raises(SettingError, match=r"13 variables of 2 classes have 2\^13 values"):
        every_value(OneHot(torch.zeros(13, 2)))
    with pytest.raises(ShapeError, match=r"2 variables of 3 classes, the prior 3 of 2"):
        analytic_kl(OneHot(torch.zeros(1, 2, 3)), OneHot(torch.zeros(3, 2)))
    with pytest.raises(SettingError, match="3 classes do not divide 4"):
        Categorical(4, 3)


def test_noise_of_zero_and_of_one_is_finite(monkeypatch):
    # log(-log U) at U = 0, or at the U = 1 that rounding can give, is infinite
    for edge in (0.0, 1.0):
        monkeypatch.setattr(
            torch, "rand", lambda shape, edge=edge, **k: torch.full(shape, edge, **k)
        )
        assert torch.isfinite(OneHot(torch.zeros(2, 3)).noisy()).all()


def test_one_categorical_with_the_exact_posterior_is_a_mixture():
    # z picks one of three Bernoulli products: p(x) is their mixture, and its posterior is exact
    reference = lb.testing.BernoulliMixture(exact=True)
    x = reference.support()
    assert torch.allclose(reference.log_evidence(x).exp().sum(), torch.ones(()).double())
    torch.manual_seed(0)
    decoder = Fields(MLP((3,), (1, 4), hidden=()), Bernoulli())
    model = VAE(
        Categorical(3), CategoricalPosterior(MLP((4,), (1, 3), hidden=())), decoder
    ).double()
    with torch.no_grad():
        model.prior.logits.copy_(torch.tensor([0.3, -0.2, 1.0]))
        # log p(z|x) is linear in x: log p(z) + x . l_z + sum_d log(1 - sigmoid(l_zd))
        table = model.likelihood.network.linear[0]
        logits = (table.weight + table.bias.unsqueeze(1)).mT
        head = model.posterior.network.linear[0]
        head.weight.copy_(logits)
        head.bias.copy_(model.prior.logits[0] - torch.nn.functional.softplus(logits).sum(dim=1))
    x = torch.cartesian_prod(*[torch.tensor([0.0, 1.0]).double()] * 4)
    _, evidence = by_hand(model, Batch(x))
    check_close(Enumerated()(model, Batch(x)).value, evidence, "the ELBO at the exact posterior")
    check_close(evidence.logsumexp(dim=0), torch.zeros(()), "the log of the sum of p(x)")
