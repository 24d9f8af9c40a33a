"""Networks: any size in, any size out, every row by itself."""

import itertools
import math

import pytest
import torch
from torch import nn

from lowerbound.errors import SettingError, ShapeError
from lowerbound.networks import MLP, ResidualDecoder, ResidualEncoder
from lowerbound.networks.cosines import Cosines
from lowerbound.networks.residual import CONTRAST, SMALLEST, stages
from lowerbound.testing import assert_close_gradient

SIZES = [
    (1, 1),
    (1, 9),
    (7, 7),
    (8, 8),
    (5, 7),
    (28, 28),
    (33, 20),
    (40, 1),
    (29, 64),
    (64, 64),
    (57, 90),
]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("channels", [1, 3, 5])
def test_residual_networks_take_and_give_images_of_any_size(size, channels):
    image = (channels, *size)
    encoder = ResidualEncoder(image, (2, 3), channels=4)
    decoder = ResidualDecoder((3,), (2, *image), channels=4)
    assert encoder(torch.randn(2, *image)).shape == (2, 2, 3)
    assert decoder(torch.randn(4, 2, 3)).shape == (4, 2, 2, *image)
    assert f"{size[0]}x{size[1]}" in str(encoder)
    assert f"{size[0]}x{size[1]}" in str(decoder)


@pytest.mark.parametrize("size", SIZES)
def test_stages_halve_until_a_fully_connected_layer_is_small_enough(size):
    sizes = stages(*size)
    assert sizes[0] == size
    assert min(sizes[-1]) <= SMALLEST
    assert max(sizes[-1]) <= 4 * SMALLEST
    for (h, w), (half_h, half_w) in itertools.pairwise(sizes):
        assert (half_h, half_w) == ((h + 1) // 2, (w + 1) // 2)


@pytest.mark.parametrize("size", [(9, 13), (57, 66)])  # the second in squares of 4x4
def test_every_pixel_of_the_output_depends_on_the_latents_and_every_input_pixel_counts(size):
    decoder = ResidualDecoder((2,), (1, 1, *size), channels=4)
    change = decoder(torch.ones(2)) - decoder(-torch.ones(2))
    assert bool((change != 0).all())
    x = torch.randn(1, 1, *size, requires_grad=True)
    encoder = ResidualEncoder((1, *size), (4,), channels=4)
    (gradient,) = torch.autograd.grad(encoder(x).sum(), x)
    assert bool((gradient != 0).all())


def test_residual_blocks_start_as_the_identity():
    encoder = ResidualEncoder((1, 5, 5), (2,), channels=4)
    x = torch.randn(2, 4, 5, 5)
    block = encoder.convolutions[1]
    assert torch.equal(block(x), x)


def test_gradients_of_networks_are_those_of_their_differences():
    x = torch.randn(2, 3, dtype=torch.float64)
    assert_close_gradient(MLP((3,), (2, 2), (5,)).double(), [x])
    image = torch.randn(1, 1, 3, 4, dtype=torch.float64)
    assert_close_gradient(ResidualEncoder((1, 3, 4), (2,), channels=2).double(), [image])
    assert_close_gradient(ResidualDecoder((3,), (1, 1, 3, 9), channels=2).double(), [x])


def test_a_gated_layer_multiplies_each_unit_by_the_sigmoid_of_another():
    network = MLP((3,), (2,), (5,), nn.GLU).double()
    x = torch.randn(4, 3, dtype=torch.float64)
    first, last = network.linear
    units, gates = (first.weight @ x.T + first.bias[:, None]).split(5)
    assert first.weight.shape == (10, 3) and last.weight.shape == (2, 5)
    expected = last((units * torch.sigmoid(gates)).T)
    assert torch.allclose(network(x), expected, rtol=0, atol=1e-12)
    assert MLP((3,), (2,), (), nn.GLU).linear[0].weight.shape == (2, 3)


def test_an_mlp_without_hidden_layers_is_a_linear_map():
    network = MLP((2, 3), (4,), hidden=())
    assert isinstance(network.layers[0], nn.Linear)
    assert len(network.layers) == 1
    x = torch.randn(5, 7, 2, 3)
    expected = x.flatten(2) @ network.layers[0].weight.T + network.layers[0].bias
    assert torch.allclose(network(x), expected, atol=1e-6)
    assert str(network) == "MLP 6-4"


@pytest.mark.parametrize(("place", "some"), [(0, 1), (0, 2), (2, 1), (3, 3)])
def test_an_mlp_starts_at_the_outputs_that_it_is_told_and_leaves_the_others(place, some):
    network = MLP((2,), (6,), (4,))
    before = network.linear[-1].bias.detach().clone()
    values = torch.arange(1.0, some + 1).view(1, some)
    network.start_at(values, place)
    after = network.linear[-1].bias.detach()
    assert torch.equal(after[place : place + some], values.flatten())
    kept = [i for i in range(6) if not place <= i < place + some]
    assert torch.equal(after[kept], before[kept])


def test_a_residual_decoder_starts_at_the_means_of_its_channels():
    network = ResidualDecoder((2,), (2, 3, 4, 5), channels=4)
    values = torch.randn(1, 3, 4, 5)
    before = network.head.bias.detach().clone()
    network.start_at(values)
    assert torch.allclose(network.head.bias[:3], values.mean(dim=(2, 3)).flatten())
    assert torch.equal(network.head.bias[3:], before[3:])  # log scales of a law of two numbers


def test_a_decoder_of_squares_starts_every_cell_of_a_channel_at_its_mean():
    network = ResidualDecoder((2,), (2, 3, 57, 64), channels=4)
    with torch.no_grad():
        network.head.weight.zero_()
    network.start_at(torch.randn(1, 3, 1, 1).expand(1, 3, 57, 64), place=3)
    scales = network(torch.zeros(2))[1]
    assert (scales == scales[:, :1, :1]).all() and scales[:, 0, 0].unique().numel() == 3


def test_convolutions_know_no_start_of_an_mlp():
    for network in (
        ResidualEncoder((1, 4, 4), (2,), channels=2),
        ResidualDecoder((2,), (1, 1, 4, 4), channels=2),
    ):
        with pytest.raises(SettingError, match="is for --set network=mlp"):
            network.start("glorot")
        network.start("small")


def test_an_even_start_hands_on_numbers_of_the_size_they_are_given():
    torch.manual_seed(0)
    network = ResidualDecoder((64,), (1, 1, 28, 28), channels=64)
    network.start("even")
    z = torch.randn(500, 64)
    size = {}
    for name in ("stem", "head"):

        def measure(module, x, y, name=name):
            size[name] = y.square().mean()

        network.get_submodule(name).register_forward_hook(measure)
    network(z)
    # rectified, half of the mean square is left, which the next layer doubles; the last is a tenth
    assert 0.7 < 100 * size["head"] / size["stem"] < 1.6
    assert not bool(network.stages[0][0].second.weight.any())  # blocks are the identity still


def test_a_way_past_the_convolutions_is_linear():
    torch.manual_seed(0)
    decoder = ResidualDecoder((3,), (1, 1, 57, 64), channels=4)
    encoder = ResidualEncoder((1, 57, 64), (3,), channels=4)
    with torch.no_grad():
        decoder.head.weight.zero_()
        encoder.head.weight.zero_()
    for network, one, other in (
        (decoder, torch.randn(3), torch.randn(3)),
        (encoder, torch.randn(1, 57, 64), torch.randn(1, 57, 64)),
    ):
        zero = network(torch.zeros_like(one))
        sums = network(one) + network(other) - zero
        assert torch.allclose(network(one + other), sums, atol=1e-5)
        assert not torch.allclose(network(one), zero, atol=1e-3)


@pytest.mark.parametrize(("channels", "size"), [(3, (64, 64)), (1, (57, 90)), (2, (64, 101))])
def test_an_even_pair_starts_as_the_slowest_cosines_there_and_back(channels, size):
    torch.manual_seed(0)
    image, latents = (channels, *size), 30
    encoder = ResidualEncoder(image, (2, latents), channels=4)
    decoder = ResidualDecoder((latents,), (2, *image), channels=4)
    for network in (encoder, decoder):
        network.start("even")
        network.head.weight.data.zero_()
        network.head.bias.data.zero_()
    z = torch.randn(7, min(latents, math.prod(image)))
    location, scale = decoder(nn.functional.pad(z, (0, latents - z.shape[1]))).unbind(dim=1)
    assert not bool(scale.any())
    back = encoder(location / CONTRAST)
    assert torch.allclose(back[:, 0, : z.shape[1]], z, atol=1e-4)
    assert not bool(back[:, 1].any())


def test_cosines_of_photographs_have_variance_one_together_and_whitened():
    cosines = Cosines((40, 12))
    assert cosines.shape == (16, 12)
    small = Cosines((12, 16))  # all of them are kept
    cells = small.image(torch.eye(12 * 16).reshape(-1, 12, 16)).square().sum(dim=0)
    assert cells.mean().item() == pytest.approx(1, abs=1e-5)
    x = torch.randn(5, 2, 12, 16)
    assert torch.allclose(small.image(small.of(x)), x, atol=1e-4)
    ways, lengths = small.largest(3, 3 * 12 * 16)
    flat = ways.flatten(start_dim=1)
    assert torch.allclose(flat @ flat.T, torch.eye(len(flat)), atol=1e-5)
    assert torch.allclose(ways[0, :, 0, 0], torch.full((3,), 3**-0.5))  # brightness is the first
    sizes = lengths * (ways.square().sum(dim=1).flatten(start_dim=1) @ small.sizes.flatten())
    assert bool((sizes.diff() <= 1e-5).all())


@pytest.mark.parametrize(
    "build",
    [
        lambda: MLP((0,), (1,)),
        lambda: MLP((1,), (1,), (0,)),
        lambda: ResidualEncoder((3,), (1,)),
        lambda: ResidualEncoder((1, 0, 3), (1,)),
        lambda: ResidualDecoder((1,), (1, 1, 2, 2), channels=0),
        lambda: ResidualDecoder((1,), (1, 1, 2, 2), blocks=-1),
    ],
)
def test_impossible_sizes_are_refused(build):
    with pytest.raises(SettingError):
        build()


def test_inputs_of_another_shape_are_refused_with_both_sides():
    with pytest.raises(ShapeError, match=r"takes \(3,\), got \(2, 4\)"):
        MLP((3,), (1,))(torch.zeros(2, 4))
    with pytest.raises(ShapeError, match=r"takes images \(1, 5, 5\)"):
        ResidualEncoder((1, 5, 5), (1,))(torch.zeros(2, 1, 5, 6))
    with pytest.raises(ShapeError, match="takes 3 latents"):
        ResidualDecoder((3,), (1, 1, 5, 5))(torch.zeros(2, 4))
