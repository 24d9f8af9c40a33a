"""What a likelihood says when it refuses; the law it hands out under any shape and output."""

import math

import numpy as np
import pytest
import torch
from scipy import special
from torch import nn

from lowerbound.errors import ShapeError, SupportError
from lowerbound.likelihoods import (
    Bernoulli,
    Categorical,
    DiscretizedLogistic,
    Fields,
    FixedScale,
    Gaussian,
    NegativeBinomial,
    PerDimensionScale,
    SharedScale,
    outputs_of,
)
from lowerbound.likelihoods.cells import check_levels

F64 = torch.float64
NET = nn.Identity()


def refusal(law, x, *name) -> str:
    with pytest.raises(SupportError) as caught:
        law.check(x, *name)
    return str(caught.value)


def test_bernoulli_says_what_to_use_for_grey_levels():
    grey = torch.tensor([0, 255], dtype=torch.uint8)
    assert refusal(Bernoulli(), grey) == (
        "likelihood 'bernoulli' needs values 0 or 1, got min 0, max 255 in 'x'; "
        "use --likelihood discretized-logistic or categorical, or --binarize"
    )


@pytest.mark.parametrize(
    ("law", "name"),
    [
        (Categorical(5), "categorical"),
        (DiscretizedLogistic(5), "discretized-logistic"),
    ],
)
def test_a_law_of_levels_says_what_to_use_for_real_values(law, name):
    needs = f"likelihood '{name}' needs whole numbers from 0 to 4, got"
    remedy = "use --likelihood gaussian for real-valued data"
    low, fraction = torch.tensor([-1.0, 3.0]), torch.tensor([0.5, 3.0])
    assert refusal(law, low) == f"{needs} min -1, max 3 in 'x'; {remedy}"
    assert refusal(law, fraction) == f"{needs} fractions between them in 'x'; {remedy}"
    assert refusal(law, torch.tensor([5])) == f"{needs} min 5, max 5 in 'x'; {remedy}"


def test_gaussian_counts_what_is_not_finite():
    x = torch.tensor([math.nan, 1.0, math.inf, -math.inf])
    assert refusal(Gaussian(), x).startswith(
        "likelihood 'gaussian' needs finite values, got 3 that are not in 'x'; "
    )
    Gaussian().check(torch.tensor([300]))  # whole numbers are finite


@pytest.mark.parametrize("kind", [torch.uint8, torch.int64, torch.float32, F64])
def test_the_first_and_the_last_level_are_levels(kind):
    for levels in (2, 256):
        check_levels(torch.tensor([0, levels - 1], dtype=kind), levels, "any", "x", "none")
    with pytest.raises(SupportError):
        check_levels(torch.tensor([0, 2], dtype=kind), 2, "any", "x", "none")


def test_the_log_scale_of_a_discretized_logistic_is_held_between_minus_9_and_5():
    for given, held in ((-9.5, -9.0), (-8.5, -8.5), (4.5, 4.5), (5.5, 5.0)):
        cells = DiscretizedLogistic().law(torch.tensor([0.0, given], dtype=F64))
        assert cells.log_scale.item() == held


def test_a_scale_is_one_unit_of_the_data_unless_it_is_told_otherwise():
    for scale in (FixedScale(), SharedScale(), PerDimensionScale((3,))):
        assert torch.equal(scale().detach(), torch.ones_like(scale()))
    cells = Gaussian().law(torch.full((2, 1), 0.7))
    assert torch.equal(cells.mean, torch.full((2,), 0.7))
    assert torch.equal(cells.stddev.detach(), torch.ones(2))


def test_a_scale_says_what_it_is():
    assert "shape=(3, 2)" in repr(PerDimensionScale((3, 2)))
    assert "shape=()" in repr(SharedScale())
    assert "0.5" in repr(FixedScale(0.5))


def test_a_likelihood_without_a_latent_says_which_it_is():
    laws = [
        Fields(NET, Bernoulli()),
        Fields(NET, Categorical()),
        Fields(NET, DiscretizedLogistic()),
        Fields(NET, Gaussian()),
        Fields(NET, NegativeBinomial()),
        Fields(NET, {(0, 2): Bernoulli(), (1,): Gaussian()}),
    ]
    names = ["bernoulli", "categorical", "discretized-logistic", "gaussian", "negative-binomial"]
    names += [r"bernoulli\+gaussian"]
    for law, name in zip(laws, names, strict=True):
        with pytest.raises(ShapeError, match=f"likelihood '{name}' needs a latent z"):
            law()


def test_a_decoder_that_loses_the_axis_of_parameters_is_refused():
    with pytest.raises(ShapeError, match="1 parameters a cell"):
        Fields(nn.Flatten(0), Bernoulli())(torch.zeros(5, 2))


def test_there_are_256_levels_unless_it_is_told_otherwise():
    assert Categorical().levels == Categorical().parameters_per_cell == 256
    assert DiscretizedLogistic().levels == 256


@pytest.mark.parametrize("logit", [-37.0, -30.0, -25.0, -21.0, 21.0, 25.0, 30.0, 37.0])
@pytest.mark.parametrize("x", [0, 1])
def test_bernoulli_keeps_its_digits_where_it_is_almost_certain(logit, x):
    output = torch.tensor([logit], dtype=F64, requires_grad=True)
    value = Bernoulli().law(output).log_prob(torch.tensor(x, dtype=torch.uint8))
    (gradient,) = torch.autograd.grad(value.sum(), output)
    assert value.item() == pytest.approx(special.log_expit((2 * x - 1) * logit), rel=3e-16, abs=0)
    assert gradient.item() == pytest.approx(
        (2 * x - 1) * special.expit((1 - 2 * x) * logit), rel=1e-8, abs=0
    )


class Puts(nn.Module):
    """A decoder that puts out what it is told, for every z."""

    def __init__(self, output) -> None:
        super().__init__()
        self.output = output

    def forward(self, z):
        return self.output.expand(*z.shape[:-1], *self.output.shape)


def laws(fill=None):
    """Every likelihood's law over 3 cells for a batch of 1."""
    cells = [Bernoulli(), Categorical(5), DiscretizedLogistic(5), Gaussian(), NegativeBinomial()]
    mixed = {(2,): Categorical(2), (0, 1): NegativeBinomial(torch.tensor([3.0, 0.1]))}
    for law in (*cells, mixed):
        output = torch.randn(outputs_of(law, (3,)), dtype=F64)
        network = Puts(output if fill is None else torch.full_like(output, fill))
        yield Fields(network, law).double()(torch.zeros(1, 2, dtype=F64))


def test_an_expanded_law_is_the_same_law_for_each_row():
    x = torch.tensor([[0, 1, 1], [1, 0, 1]], dtype=torch.uint8)
    for law in laws():
        wide = law.expand(torch.Size([2]))
        expected = torch.cat([law.log_prob(row.unsqueeze(0)) for row in x])
        assert wide.batch_shape == (2,)
        assert np.allclose(wide.log_prob(x).detach(), expected.detach(), rtol=1e-12)
        assert wide.sample().shape == (2, 3)


def test_a_network_that_puts_out_nan_gets_a_density_of_nan():
    # training reports it with a remedy: an error of torch from inside a law would hide that
    for law in laws(fill=math.nan):
        for each in (law, law.expand(torch.Size([2]))):
            assert bool(each.log_prob(torch.ones(2, 3)).isnan().all())
