"""Gradients without the score: unbiased, untouched for the decoder, and less noisy."""

import pytest
import torch

from lowerbound.data import Batch
from lowerbound.errors import SettingError
from lowerbound.objectives import ELBO, IWAE, DReG, Objective, StickingTheLanding
from lowerbound.testing import LinearGaussian, check_close, check_reparameterised

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
