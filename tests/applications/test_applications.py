"""Every use of a trained model, on one whose answers are known."""

import numpy as np
import pytest
import torch

from lowerbound.applications import (
    decode,
    encode,
    generate,
    interpolate,
    reconstruct,
    traverse,
)
from lowerbound.applications.chunks import ROWS_AT_ONCE
from lowerbound.applications.pictures import contact_sheet, to_image, to_pixels
from lowerbound.data import Examples
from lowerbound.errors import SettingError, ShapeError
from lowerbound.likelihoods import Categorical, Fields
from lowerbound.models import VAE
from lowerbound.networks import MLP
from lowerbound.posteriors import DiagonalGaussian
from lowerbound.priors import StandardNormal
from lowerbound.testing import SCHEMAS, LinearGaussian, assert_mean


@pytest.fixture
def reference() -> LinearGaussian:
    return LinearGaussian.random(2, 4)


def test_encodings_are_the_exact_posterior_whatever_the_chunks(reference):
    x = reference.simulate(2 * ROWS_AT_ONCE + 3).x
    found = encode(reference.vae(), x)
    q = reference.posterior(x)
    assert torch.allclose(found.mean, q.mean)
    assert torch.allclose(found.scale, q.variance.sqrt())
    alone = encode(reference.vae(), x[300:301])
    assert torch.allclose(alone.mean, found.mean[300:301], rtol=1e-12)


def test_unobserved_cells_are_encoded_as_zero(reference):
    x = reference.simulate(3).x
    observed = torch.tensor([[True, False, True, True]] * 3)
    junk = torch.where(observed, x, float("nan"))
    zero = torch.where(observed, x, 0.0)
    model = reference.vae()
    assert torch.equal(encode(model, Examples(junk, observed)).mean, encode(model, zero).mean)


def test_decoding_gives_the_mean_of_the_likelihood_or_draws_from_it(reference):
    z = reference.simulate(5).z
    expected = z @ reference.weight.T + reference.bias
    assert torch.allclose(decode(reference.vae(), z), expected, atol=1e-5)
    draws = decode(reference.vae(), z[:1].repeat(20_000, 1), draw=True, seed=0)
    assert_mean(draws - expected[0], 0.0, resolves=0.05)
    assert_mean((draws - expected[0]).square(), 0.49, resolves=0.05)


def test_generated_examples_follow_the_evidence(reference):
    x = generate(reference.vae(), 40_000, seed=1)
    covariance = reference.weight @ reference.weight.T + 0.49 * torch.eye(4).double()
    centred = x - reference.bias
    assert_mean(centred, 0.0, resolves=0.15)
    assert_mean(centred.unsqueeze(-1) * centred.unsqueeze(-2), covariance, resolves=0.5)
    means = generate(reference.vae(), 40_000, draw=False, seed=1) - reference.bias
    products = means.unsqueeze(-1) * means.unsqueeze(-2)
    assert_mean(products, reference.weight @ reference.weight.T, resolves=0.5)


def test_reconstructions_are_decoded_means(reference):
    x, model = reference.simulate(5).x, reference.vae()
    assert torch.equal(reconstruct(model, x), decode(model, encode(model, x).mean))


def test_the_same_seed_gives_the_same_draws_and_leaves_the_callers_alone(reference):
    model, before = reference.vae().train(), torch.get_rng_state()
    assert torch.equal(generate(model, 5, seed=2), generate(model, 5, seed=2))
    assert not torch.equal(generate(model, 5, seed=2), generate(model, 5, seed=3))
    assert not torch.equal(generate(model, 5), generate(model, 5))
    assert torch.equal(torch.get_rng_state(), before)
    assert model.training


@pytest.mark.parametrize("spherical", [True, False])
def test_interpolation_begins_and_ends_at_the_reconstructions(reference, spherical):
    (start, end), model = reference.simulate(2).x, reference.vae()
    path = interpolate(model, start, end, steps=5, spherical=spherical)
    ends = reconstruct(model, torch.stack([start, end]))
    assert path.shape == (5, 4)
    assert torch.allclose(path[[0, -1]], ends, atol=1e-4)
    if not spherical:
        assert torch.allclose(path[2], ends.mean(dim=0), atol=1e-4)


def test_points_of_the_great_circle_keep_their_norms_between():
    # decoded by the identity: what comes out is the latent path
    reference = LinearGaussian(
        torch.eye(2).double(), torch.zeros(2).double(), torch.tensor(0.1).double()
    )
    a, b = torch.tensor([3.0, 0.0]).double(), torch.tensor([0.0, 6.0]).double()
    path = interpolate(reference.vae(), a, b, steps=3)
    ends = path[[0, 2]].norm(dim=-1)
    assert path[1].norm().item() == pytest.approx(ends.mean().item(), rel=1e-5)
    assert path[1][0].item() == pytest.approx(path[1][1].item(), rel=1e-5)
    opposite = interpolate(reference.vae(), a, -a, steps=3)  # no great circle is singled out
    assert torch.allclose(opposite[1], torch.zeros(2).double(), atol=1e-5)


def test_traversal_moves_one_unit_at_a_time(reference):
    around = torch.tensor([0.5, -1.0])
    path = traverse(reference.vae(), [1, 0], around=around, reach=2.0, steps=5)
    assert path.shape == (2, 5, 4)
    for row, unit in enumerate((1, 0)):
        for step, value in enumerate((-2.0, -1.0, 0.0, 1.0, 2.0)):
            z = around.double().clone()
            z[unit] = value
            expected = reference.weight @ z + reference.bias
            assert torch.allclose(path[row, step], expected, atol=1e-5)


def test_the_mean_of_a_categorical_is_that_of_its_levels():
    model = VAE(
        StandardNormal(2),
        DiagonalGaussian(MLP((3,), (2, 2), ())),
        Fields(MLP((2,), (5, 3), ()), Categorical(5)),
    )
    z = torch.randn(4, 2)
    with torch.no_grad():
        p = model.likelihood.network(z).softmax(dim=1)
    expected = torch.einsum("nlc,l->nc", p, torch.arange(5.0))
    assert torch.allclose(decode(model, z), expected, atol=1e-5)


def test_impossible_requests_are_refused(reference):
    model, x = reference.vae(), reference.simulate(2).x
    for count in (0, 1.5, True):
        with pytest.raises(SettingError, match="count"):
            generate(model, count)
    with pytest.raises(ShapeError, match=r"\(N, 2\) latents \(z: 2\), got \(1, 3\)"):
        decode(model, torch.zeros(1, 3))
    with pytest.raises(ShapeError, match="finite"):
        decode(model, torch.full((1, 2), float("nan")))
    with pytest.raises(SettingError, match="steps"):
        interpolate(model, x[0], x[1], steps=1)
    for options in ({"units": [2]}, {"units": []}, {"units": [0], "steps": 1},
                    {"units": [0], "reach": 0.0}):  # fmt: skip
        with pytest.raises(SettingError):
            traverse(model, **options)
    with pytest.raises(ShapeError, match="around"):
        traverse(model, [0], around=torch.zeros(3))
    with pytest.raises(ShapeError):
        encode(model, torch.zeros(2, 5))


def test_pixels_spread_the_levels_over_all_bytes():
    schema = SCHEMAS["ordinal 1x28x28"]
    x = torch.arange(6.0).repeat(1, 1, 28, 5)[..., :28]
    assert sorted(set(to_pixels(x, schema).flatten().tolist())) == [0, 51, 102, 153, 204, 255]
    colour = to_pixels(torch.zeros(2, 3, 5, 7), SCHEMAS["8-bit 3x5x7"])
    assert colour.shape == (2, 5, 7, 3)
    real = to_pixels(torch.linspace(-1, 1, 105).view(1, 3, 5, 7), SCHEMAS["real 3x5x7"])
    assert (real.min(), real.max()) == (0, 255)
    wide = to_pixels(
        torch.tensor([0.0, 2.0, 10.0]).repeat(1, 3, 5, 7)[..., :7], SCHEMAS["real 3x5x7"]
    )
    assert sorted(set(wide.flatten().tolist())) == [0, 51, 255]  # 10 is white, not 1
    with pytest.raises(ShapeError, match="pictures need images"):
        to_pixels(torch.zeros(2, 5), SCHEMAS["real 5"])


def test_a_contact_sheet_puts_pictures_row_by_row():
    pixels = np.arange(5, dtype=np.uint8).reshape(5, 1, 1, 1) * np.ones((1, 2, 3, 1), np.uint8)
    sheet = np.asarray(contact_sheet(pixels, columns=3, gap=1))
    assert sheet.shape == (5, 11)
    assert [sheet[0, 0], sheet[0, 4], sheet[0, 8], sheet[3, 0], sheet[3, 4]] == [0, 1, 2, 3, 4]
    assert sheet[2, 0] == sheet[4, 10] == 255
    assert contact_sheet(pixels, enlarge=2).size[0] == 2 * contact_sheet(pixels).size[0]
    assert to_image(np.zeros((4, 5, 3), np.uint8)).mode == "RGB"
