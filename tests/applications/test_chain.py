"""Every use of a model of two groups of latents, of different shapes, against closed forms."""

import math

import pytest
import torch

from lowerbound.applications import decode, encode, generate, interpolate, reconstruct, traverse
from lowerbound.applications.chunks import ROWS_AT_ONCE
from lowerbound.core import Space
from lowerbound.data import Examples
from lowerbound.errors import SettingError, ShapeError, UnknownNameError
from lowerbound.testing import BernoulliMixture, LinearGaussianChain, assert_mean

CHAIN = LinearGaussianChain((3, 2), 4)
W0, W1 = (weight.detach() for weight in CHAIN.weights)
B0, B1 = (bias.detach() for bias in CHAIN.biases)
S0, S1 = (float(scale.detach().exp()) for scale in CHAIN.log_scales)
EYE = torch.eye(4, dtype=torch.float64)


def top_first(z: torch.Tensor) -> torch.Tensor:
    """The chain's own order is z1, z2; the walk's is z2, z1."""
    return torch.cat([z[..., 3:], z[..., :3]], dim=-1)


def test_encodings_are_the_exact_posterior_of_both_groups_top_first():
    x = CHAIN.simulate(2 * ROWS_AT_ONCE + 3).x
    found = encode(CHAIN, x)
    with torch.no_grad():
        q = CHAIN.posterior(x)
    assert torch.allclose(found.mean, top_first(q.mean))
    covariance = q.covariance_matrix[0]
    top, across, below = covariance[3:, 3:], covariance[:3, 3:], covariance[:3, :3]
    given = below - across @ torch.linalg.solve(top, across.T)  # of z1 where z2 is known
    scale = torch.cat([top.diagonal().sqrt(), given.diagonal().sqrt()])
    assert torch.allclose(found.scale, scale.expand_as(found.scale))
    assert found.spaces == {"z2": Space((2,)), "z1": Space((3,))}
    assert {name: tuple(part.shape) for name, part in found.groups.items()} == {
        "z2": (len(x), 2), "z1": (len(x), 3),
    }  # fmt: skip
    assert torch.equal(torch.cat(list(found.groups.values()), dim=1), found.mean)


def test_a_mask_reaches_the_model_in_every_chunk_and_use():
    x = CHAIN.simulate(ROWS_AT_ONCE + 5).x
    observed = torch.rand(x.shape, generator=torch.Generator().manual_seed(0)) < 0.7
    seen = []

    class Watched(LinearGaussianChain):
        def descend(self, choose, batch=None, condition=None):
            if batch is not None:
                seen.append(batch.observed)
            return super().descend(choose, batch, condition)

    model = Watched((3, 2), 4)
    for junk in (math.nan, 1e30):
        held = Examples(torch.where(observed, x, junk), observed)
        zero = torch.where(observed, x, 0.0)  # of a chain whose data were not standardised
        assert torch.equal(encode(model, held).mean, encode(model, zero).mean)
        assert torch.equal(reconstruct(model, held), reconstruct(model, zero))
        way = interpolate(model, *held.x[:2], observed=observed[:2])
        assert torch.equal(way, interpolate(model, *zero[:2]))
    seen.clear()
    encode(model, Examples(x, observed))
    assert torch.equal(torch.cat(seen), observed)


def test_latents_are_decoded_in_a_row_and_by_group():
    z = top_first(CHAIN.simulate(5).z)
    expected = z[:, 2:] @ W0.T + B0
    assert torch.allclose(decode(CHAIN, z), expected)
    assert torch.equal(decode(CHAIN, {"z2": z[:, :2], "z1": z[:, 2:]}), decode(CHAIN, z))
    draws = decode(CHAIN, z[:1].repeat(20_000, 1), draw=True, seed=0) - expected[0]
    assert_mean(draws, 0.0, resolves=0.1)
    assert_mean(draws.square(), S0**2, resolves=0.2)


def test_the_seed_decides_what_is_drawn():
    """A `decode` that ignored its seed once passed every test."""
    joint = CHAIN.simulate(ROWS_AT_ONCE + 3)
    z, x = top_first(joint.z), joint.x
    before = torch.get_rng_state()
    uses = {
        "decode": lambda seed: decode(CHAIN, z, draw=True, seed=seed),
        "generate": lambda seed: generate(CHAIN, 300, seed=seed),
        "generate means": lambda seed: generate(CHAIN, 300, draw=False, seed=seed),
        "reconstruct": lambda seed: reconstruct(CHAIN, x, draw=True, seed=seed),
        "reconstruct until z2": lambda seed: reconstruct(CHAIN, x, until="z2", seed=seed),
    }
    for name, use in uses.items():
        assert torch.equal(use(2), use(2)), name
        assert not torch.equal(use(2), use(3)), name
        assert not torch.equal(use(None), use(None)), name
        drawn = use(2)
        assert len(torch.unique(drawn, dim=0)) == len(drawn), name  # chunks share no noise
    for quiet in (decode(CHAIN, z, seed=1), reconstruct(CHAIN, x, seed=1)):
        assert quiet.shape == x.shape
    assert torch.equal(decode(CHAIN, z, seed=1), decode(CHAIN, z, seed=2))
    assert torch.equal(reconstruct(CHAIN, x, seed=1), reconstruct(CHAIN, x, until="z1", seed=2))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("temperature", [1.0, 0.5])
def test_generated_examples_have_the_moments_of_the_model_at_any_temperature(temperature):
    x = generate(CHAIN, 60_000, temperature=temperature, seed=1)
    inside = temperature**2 * (W1 @ W1.T + S1**2 * EYE[:3, :3])
    covariance = W0 @ inside @ W0.T + S0**2 * EYE
    centred = x - (W0 @ B1 + B0)
    assert_mean(centred, 0.0, resolves=0.2)
    assert_mean(centred.unsqueeze(-1) * centred.unsqueeze(-2), covariance, resolves=1.0)
    means = generate(CHAIN, 60_000, draw=False, temperature=temperature, seed=1) - (W0 @ B1 + B0)
    products = means.unsqueeze(-1) * means.unsqueeze(-2)
    assert_mean(products, covariance - S0**2 * EYE, resolves=1.0)


def test_reconstructions_keep_all_groups_or_the_upper_ones():
    x = CHAIN.simulate(1).x
    with torch.no_grad():
        z1, z2 = CHAIN.posterior(x).mean[0].split([3, 2])
    assert torch.allclose(reconstruct(CHAIN, x)[0], W0 @ z1 + B0)
    again = reconstruct(CHAIN, x.expand(20_000, -1), until="z2", seed=0)
    centred = again - (W0 @ (W1 @ z2 + B1) + B0)
    assert_mean(centred, 0.0, resolves=0.2)
    products = centred.unsqueeze(-1) * centred.unsqueeze(-2)
    assert_mean(products, S1**2 * W0 @ W0.T, resolves=0.5)


def test_ways_between_examples_go_through_each_group():
    x = CHAIN.simulate(2).x
    ends = reconstruct(CHAIN, x)
    straight = interpolate(CHAIN, *x, steps=3, spherical=False)
    assert torch.allclose(straight[[0, 2]], ends)
    assert torch.allclose(straight[1], ends.mean(dim=0))
    a, b = encode(CHAIN, x).groups["z1"]
    round_ = interpolate(CHAIN, *x, steps=3)
    assert torch.allclose(round_[[0, 2]], ends)
    angle = torch.arccos(torch.dot(a, b) / a.norm() / b.norm())
    half = (a / a.norm() + b / b.norm()) / (2 * torch.cos(angle / 2))
    assert torch.allclose(round_[1], W0 @ (half * (a.norm() + b.norm()) / 2) + B0)


def test_a_unit_moves_and_the_groups_below_it_follow():
    path = traverse(CHAIN, [1, 3], reach=2.0, steps=5)
    assert path.shape == (2, 5, 4)
    for step, way in enumerate((-2.0, -1.0, 0.0, 1.0, 2.0)):
        top = torch.tensor([0.0, way], dtype=torch.float64)
        assert torch.allclose(path[0, step], W0 @ (W1 @ top + B1) + B0)
        below = B1 + S1 * way * EYE[1, :3]  # in units of the spread of p(z1|z2)
        assert torch.allclose(path[1, step], W0 @ below + B0)
    around = torch.tensor([0.5, -1.0, 9.0, 8.0, 7.0], dtype=torch.float64)
    moved = traverse(CHAIN, [1, 3], around=around, reach=2.0, steps=3)
    top = torch.tensor([0.5, 2.0], dtype=torch.float64)
    assert torch.allclose(moved[0, 2], W0 @ (W1 @ top + B1) + B0)
    z1 = torch.tensor([9.0, 0.0, 7.0], dtype=torch.float64)
    z1[1] = (W1 @ around[:2] + B1)[1] + 2.0 * S1
    assert torch.allclose(moved[1, 2], W0 @ z1 + B0)


def test_codes_are_generated_and_encoded_and_what_has_no_sense_for_them_is_refused():
    model = BernoulliMixture()
    x = generate(model, 40_000, seed=0)
    chance = model.log_evidence(model.support()).exp().detach()
    assert_mean(x, chance @ model.support(), resolves=0.05)
    found = encode(model, x[:5])
    best = model.posterior(x[:5])  # q is of this form, but another law
    assert found.mean.shape == best.mean.shape == (5, 1)
    assert bool((found.mean == found.mean.round()).all())
    assert reconstruct(model, x[:5]).shape == (5, 4)
    with pytest.raises(SettingError, match="group 'z' holds codes"):
        interpolate(model, x[0], x[1])
    with pytest.raises(SettingError, match="unit 0 belongs to group 'z', whose codes"):
        traverse(model, [0])
    with pytest.raises(SettingError, match="no scale that a temperature could change"):
        generate(model, 3, temperature=0.5)


def test_impossible_latents_and_groups_are_refused_by_name():
    with pytest.raises(ShapeError, match=r"\(N, 5\) latents \(z2: 2, z1: 3\), got \(1, 3\)"):
        decode(CHAIN, torch.zeros(1, 3))
    with pytest.raises(ShapeError, match=r"\(N, 5\) latents, got \(5,\)"):
        decode(CHAIN, torch.zeros(5))
    with pytest.raises(ShapeError, match="z2"):
        decode(CHAIN, {"z1": torch.zeros(2, 3)})
    with pytest.raises(ShapeError, match="z2"):
        decode(CHAIN, {"z1": torch.zeros(2, 3), "z2": torch.zeros(3, 2)})
    with pytest.raises(UnknownNameError, match="z3"):
        decode(CHAIN, {"z1": torch.zeros(2, 3), "z3": torch.zeros(2, 2)})
    with pytest.raises(UnknownNameError, match="z7"):
        reconstruct(CHAIN, CHAIN.simulate(2).x, until="z7")
    for wrong in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(SettingError, match="temperature must be a positive number"):
            generate(CHAIN, 2, temperature=wrong)
    with pytest.raises(SettingError, match="units are 0 to 4"):
        traverse(CHAIN, [5])
