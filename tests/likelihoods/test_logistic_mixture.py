"""A mixture of discretised logistics: its masses sum to one, also over several colours."""

from itertools import product

import pytest
import torch

import lowerbound as lb
from lowerbound.distributions import DiscretizedLogistic
from lowerbound.errors import DataError
from lowerbound.likelihoods import Fields, LogisticMixture
from lowerbound.networks import MLP
from lowerbound.testing import check_close

F64 = torch.float64


def law_of(levels, channels, components=3, seed=0):
    torch.manual_seed(seed)
    cells = LogisticMixture(levels, channels=channels, components=components)
    return cells.law(torch.randn(channels, 1, 1, cells.parameters_per_cell, dtype=F64))


def every(levels, channels):
    return torch.tensor(list(product(range(levels), repeat=channels)), dtype=F64)[..., None, None]


@pytest.mark.parametrize(("levels", "channels"), [(256, 1), (32, 2), (7, 3)])
def test_the_masses_of_a_pixel_sum_to_one(levels, channels):
    x = every(levels, channels)
    total = law_of(levels, channels).log_prob(x).flatten(1).sum(dim=1).logsumexp(dim=0)
    check_close(total, torch.zeros((), dtype=F64), "log of the sum of masses")


def test_a_cell_given_those_before_it_sums_to_one():
    law = law_of(32, 2)
    x = torch.stack([torch.full((32,), 11.0), torch.arange(32.0)], dim=1).to(F64)[..., None, None]
    second = law.log_prob(x)[:, 1].logsumexp(dim=0)
    check_close(second, torch.zeros(1, 1, dtype=F64), "log of the sum over g given r")


def test_one_component_without_slopes_is_the_discretised_logistic():
    cells = LogisticMixture(256, components=1)
    numbers = torch.randn(5, 3, dtype=F64)
    one = DiscretizedLogistic(numbers[:, 0], numbers[:, 1], 256)
    x = torch.randint(256, (5,)).to(F64)
    check_close(cells.law(numbers).log_prob(x), one.log_prob(x), "log p(x)")
    check_close(cells.law(numbers).mean, one.mean, "the mean", unit="plain")


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_draws_follow_the_masses(channels):
    levels = {1: 9, 2: 5, 3: 3}[channels]
    law = law_of(levels, channels, seed=2)
    x = every(levels, channels)
    mass = law.log_prob(x).flatten(1).sum(dim=1).exp()
    torch.manual_seed(0)
    drawn = law.sample(torch.Size([20_000])).flatten(1)
    places = (drawn * levels ** torch.arange(channels - 1, -1, -1)).sum(dim=1).long()
    found = torch.bincount(places, minlength=len(mass)) / 20_000
    error = (mass * (1 - mass) / 20_000).sqrt()
    assert ((found - mass).abs() < 4.9 * error + 1e-9).all()
    assert mass.max() > 0.1  # 4.9 errors are then under a twentieth of it


def test_a_colour_follows_the_one_before_by_its_slope():
    # r is 0 or the highest level for sure; g lies at slope * r
    cells = LogisticMixture(101, channels=2, components=1)
    numbers = torch.zeros(2, 1, 1, 3, dtype=F64)
    numbers[0, 0, 0] = torch.tensor([0.0, -1.0, 0.0])  # location, log scale, logit
    numbers[1, 0, 0] = torch.tensor([0.1, -8.0, 0.5])  # location, log scale, slope before tanh
    law = cells.law(numbers)
    slope = torch.tensor(0.5, dtype=F64).tanh()
    for r in (0.0, 30.0, 100.0):
        pairs = torch.stack([torch.full((101,), r), torch.arange(101.0)], dim=1)
        best = law.log_prob(pairs.to(F64)[..., None, None])[:, 1].argmax()
        assert best == torch.round((0.1 + slope * (r / 50 - 1) + 1) * 50)


def test_gradients_are_those_of_finite_differences():
    cells = LogisticMixture(5, channels=3, components=2)
    numbers = torch.randn(3, 1, 1, cells.parameters_per_cell, dtype=F64, requires_grad=True)
    x = torch.randint(5, (3, 1, 1)).to(F64)
    assert torch.autograd.gradcheck(lambda n: cells.law(n).log_prob(x), (numbers,))


def test_a_pixel_that_is_a_gap_leaves_no_trace_and_half_a_pixel_is_refused():
    law = LogisticMixture(256, channels=3, components=2)
    p = Fields(MLP((2,), (law.parameters_per_cell, 3, 2, 2), ()), law).double()
    z, x = torch.randn(1, 2, dtype=F64), torch.randint(256, (1, 3, 2, 2)).double()
    observed = torch.ones(1, 3, 2, 2, dtype=torch.bool)
    observed[..., 0, 1] = False
    first = p(z).log_prob(x, observed)
    assert torch.equal(first, p(z).log_prob(torch.where(observed, x, torch.nan), observed))
    kept = p(z).cells(x)[observed.expand(1, 3, 2, 2)].sum()
    check_close(first, kept[None], "log p of the other pixels")
    last = observed.clone()
    last[:, 2] = False  # blue alone is a gap: red and green need none of it
    assert torch.isfinite(p(z).log_prob(x, last)).all()
    with pytest.raises(DataError, match="hide whole pixels"):
        p(z).log_prob(x, ~last)


def test_a_colour_image_gets_coupled_colours_and_starts_at_its_mean():
    rng = torch.Generator().manual_seed(0)
    x = (torch.rand(40, 3, 8, 8, generator=rng) * 90 + 60).byte().numpy()
    schema = lb.read(x, axes="chw").schema
    model, _ = lb.catalogue.build(
        "vae", schema, likelihood="logistic-mixture", network="residual", channels=4, latents=2
    )
    (law,) = model.likelihood.parts
    assert law.coupled and law.parameters_per_cell == 20
    mean = model.decode({"z": torch.zeros(1, 2)}).mean
    assert (mean.mean() - 105).abs() < 15
    assert model.sample(2).law.sample().shape == (2, 3, 8, 8)


@pytest.mark.parametrize("components", [1, 2, 5])
def test_locations_start_about_the_mean(components):
    mean = torch.tensor([[[51.0]], [[102.0]], [[204.0]]])
    start = LogisticMixture(256, channels=3, components=components).start(mean)
    centre = start[:components].mean(dim=0)
    check_close(centre, 2 * mean / 255 - 1, "the mean of the locations", unit="plain")


def test_one_component_of_colours_is_a_chain_of_logistics():
    cells = LogisticMixture(256, channels=3, components=1)
    numbers = torch.randn(3, 2, 2, 4, dtype=F64)
    x = torch.randint(256, (3, 2, 2)).to(F64)
    at, shown = numbers[..., 0], 2 * x / 255 - 1
    slopes = torch.stack([numbers[1, ..., 2], numbers[2, ..., 2], numbers[2, ..., 3]]).tanh()
    wanted = torch.stack([
        at[0],
        at[1] + slopes[0] * shown[0],
        at[2] + slopes[1] * shown[0] + slopes[2] * shown[1],
    ])  # fmt: skip
    one = DiscretizedLogistic(wanted, numbers[..., 1], 256)
    check_close(cells.law(numbers).log_prob(x), one.log_prob(x), "log p(x)")
