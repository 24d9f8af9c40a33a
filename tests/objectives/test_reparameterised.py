"""Gradients without the score: unbiased, untouched for the decoder, and less noisy."""

import pytest
import torch

from lowerbound.data import Batch
from lowerbound.errors import SettingError
from lowerbound.objectives import ELBO, IWAE, DReG, Objective, StickingTheLanding
from lowerbound.testing import (
    LinearGaussian,
    LinearGaussianChain,
    check_close,
    check_reparameterised,
    cubature,
    given_noise,
)

ROWS = 20_000


def test_the_doubly_reparameterised_gradient_is_that_of_the_importance_weighted_bound():
    # mean by quadrature, decoder draw by draw: nothing of it can fail by chance
    check_reparameterised(DReG, IWAE)


def test_sticking_the_landing_is_the_drawn_elbo():
    check_reparameterised(StickingTheLanding, lambda samples: ELBO(samples, analytic=False))


def test_leaving_the_score_out_of_several_draws_is_biased():
    with pytest.raises(AssertionError, match=r"encoder's expected gradient .* for K = 2"):
        check_reparameterised(lambda samples: IWAE(samples, "path"), IWAE)


def per_row(objective: Objective) -> torch.Tensor:
    """The gradient for the mean of q(z|x), of ROWS repetitions of one example, `(ROWS,)`."""
    reference = LinearGaussian.random(1, 3)
    model = reference.vae()
    with torch.no_grad():
        model.posterior.network.layers[0].bias += 0.2
    torch.manual_seed(0)
    batch = Batch(reference.simulate(1).x.expand(ROWS, -1))
    trace = model.trace(batch, objective.samples, objective.gradient)
    value = objective.reduce(trace).value.sum()
    return torch.autograd.grad(value, trace.latents["z"].q.loc)[0].flatten()


def signal_to_noise(objective: Objective) -> float:
    gradient = per_row(objective)
    return float(gradient.mean().abs() / gradient.std())


def test_more_draws_drown_the_usual_gradient_and_not_the_doubly_reparameterised_one():
    # theory: by sqrt(16) = 4 down and up. Each ratio is known to 1/sqrt(ROWS) = 0.007 of a
    # deviation: the limits lie more than five of them away on either side
    usual = [signal_to_noise(IWAE(samples)) for samples in (4, 64)]
    doubly = [signal_to_noise(DReG(samples)) for samples in (4, 64)]
    assert usual[1] < 0.5 * usual[0]
    assert doubly[1] > 2 * doubly[0]
    assert usual[1] > 5 / ROWS**0.5
    for samples in (2, 16):
        assert per_row(DReG(samples)).var() < 0.8 * per_row(IWAE(samples)).var()


def test_at_one_draw_the_two_are_the_same():
    check_close(per_row(DReG(1)), per_row(StickingTheLanding(1)), "the gradient", unit="plain")


def test_without_a_gradient_only_the_value_is_there():
    reference = LinearGaussian.random(2, 3)
    model, batch = reference.vae(), Batch(reference.simulate(5).x)
    with torch.no_grad():
        trace = model.trace(batch, 4, "path")
        assert torch.equal(DReG(4).reduce(trace).value, IWAE(4).reduce(trace).value)
    assert DReG(4).criterion == DReG(4)


@pytest.mark.parametrize("kind", [DReG, StickingTheLanding])
def test_impossible_numbers_of_draws_are_refused(kind):
    with pytest.raises(SettingError, match="samples must be a whole number"):
        kind(0)


def test_one_draw_and_five_are_taken_where_nothing_is_said():
    assert StickingTheLanding().samples == 1
    assert DReG().samples == 5


def test_a_network_in_single_precision_gets_a_gradient_in_it():
    # the shares are float64, and autograd refuses a gradient of another type than its tensor's
    reference = LinearGaussian.random(2, 3)
    model = reference.vae().float()
    DReG(3)(model, Batch(reference.simulate(4).x.float())).value.sum().backward()
    for parameter in model.posterior.parameters():
        assert parameter.grad.dtype == torch.float32
        assert bool(torch.isfinite(parameter.grad).all())


def test_the_doubly_reparameterised_gradient_is_refused_for_two_groups():
    """Its factor once came back through the lower group into the upper one, twice."""
    model = LinearGaussianChain((3, 2), 4)
    with pytest.raises(SettingError, match="for one group of latents, and this model has 2"):
        DReG(3)(model, Batch(model.simulate(2).x))


@pytest.mark.parametrize("order", ["top-down", "bottom-up"])
def test_at_the_exact_posterior_of_two_groups_every_draw_has_no_path_gradient(order):
    model = LinearGaussianChain((3, 2), 4, order=order)
    encoder = [
        p
        for name, p in model.named_parameters()
        if name.startswith(("gains", "offsets", "factors"))
    ]
    trace = model.trace(Batch(model.simulate(3).x), 4, "path")
    weights = trace.log_weight.flatten()
    assert len(weights) == 12
    for weight in weights:  # of each draw of each example, not only on average
        for gradient in torch.autograd.grad(weight, encoder, retain_graph=True):
            assert float(gradient.abs().max()) < 1e-12
    total = model.trace(Batch(model.simulate(3).x), 4).log_weight.sum()
    assert any(float(g.abs().max()) > 1e-2 for g in torch.autograd.grad(total, encoder))
    assert torch.equal(
        StickingTheLanding(4).reduce(trace).value, ELBO(4, analytic=False).reduce(trace).value
    )


def test_the_path_gradient_of_two_groups_has_the_mean_of_the_total_one():
    model = LinearGaussianChain((3, 2), 4, exact=False)
    batch, gradients = Batch(model.simulate(3).x), []
    for kind in ("path", "total"):
        with given_noise(cubature(5)):
            value = ELBO(10, analytic=False, gradient=kind)(model, batch).value.sum()
        gradients.append(torch.autograd.grad(value, list(model.parameters())))
    for path, total in zip(*gradients, strict=True):
        check_close(path, total, "the path gradient", 1e-8, "plain")
