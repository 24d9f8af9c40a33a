"""Inception-v3: the layout of its weights, and files that do not hold them."""

import hashlib
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from lowerbound.data import Examples, Field, Schema
from lowerbound.errors import DataError
from lowerbound.evaluation.quality import (
    Inception,
    InceptionV3,
    feature_space,
    features,
    load_inception,
    sample_quality,
)

GREY = Schema((Field("image", "ordinal", (1, 12, 10), 256),), (1, 12, 10))


def random_weights() -> dict[str, torch.Tensor]:
    """Weights of a size that lets a signal through; half precision, as files may be."""
    with torch.device("meta"):
        shapes = {name: tensor.shape for name, tensor in InceptionV3().state_dict().items()}
    generator = torch.Generator().manual_seed(0)
    tensors = {}
    for name, shape in shapes.items():
        if name.endswith("num_batches_tracked"):
            continue  # older files have none
        values = torch.rand(shape, generator=generator)
        if name.endswith("conv.weight"):
            values = (values - 0.5) * (24 / shape[1:].numel()) ** 0.5
        elif name.endswith(("bias", "running_mean")):
            values = 0.2 * (values - 0.5)
        else:
            values = 0.5 + values
        tensors[name] = values.half()
    return tensors


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("inception") / "weights.safetensors"
    save_file(random_weights(), path)
    return path


def test_names_and_shapes_are_torchvisions():
    # the digest was taken of torchvision 0.28's inception_v3, fc and AuxLogits left out; with its
    # random weights both layouts gave its outputs to seven digits
    with torch.device("meta"):
        network = InceptionV3()
    tensors = network.state_dict()
    lines = sorted(f"{name} {tuple(tensor.shape)}" for name, tensor in tensors.items())
    digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    assert digest == "5c5cb906421dd92101f74d73352774dd0c7312df1c7e1eab4f2698dfca34cd92"
    assert sum(p.numel() for p in network.parameters()) == 21_785_568


def test_images_of_any_size_become_2048_features(weights):
    x = torch.randint(0, 256, (2, 1, 12, 10), dtype=torch.uint8)
    space = feature_space(Examples(x), GREY, weights)
    found = space(x)
    assert found.shape == (2, space.dimensions) == (2, 2048)
    assert found.dtype == torch.float64
    assert float(found.std(dim=0).max()) > 1e-4  # of different images they differ
    assert "torchvision's layout" in space.words
    assert "grey repeated three times" in space.words


class Echo(nn.Module):
    """Gives back what it is shown, averaged over the image, and remembers its shape."""

    def __init__(self) -> None:
        super().__init__()
        self.anchor = nn.Parameter(torch.zeros(()))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.shown = x.shape
        return x.mean(dim=(2, 3))


def test_the_network_sees_299_pixels_from_black_to_white():
    space = Inception(GREY.shape, Echo(), 0.0, 255.0, "torchvision")
    x = torch.tensor([0, 51, 255], dtype=torch.uint8).view(3, 1, 1, 1).expand(3, 1, 12, 10)
    expected = torch.tensor([[-1.0] * 3, [-0.6] * 3, [1.0] * 3]).double()
    assert torch.allclose(space(x), expected, atol=1e-6)
    assert space.network.shown == (3, 3, 299, 299)
    colour = Inception((3, 8, 8), Echo(), -1.0, 3.0, "torchvision")
    x = torch.tensor([-1.0, 1.0, 9.0]).view(1, 3, 1, 1).expand(1, 3, 8, 8)
    assert torch.allclose(colour(x), torch.tensor([[-1.0, 0.0, 1.0]]).double())  # 9 is clipped


def test_the_scale_is_that_of_the_schema_or_of_training(weights, monkeypatch):
    network = Echo()
    monkeypatch.setattr(features, "load_inception", lambda path: (network, "torchvision"))
    x = torch.rand(4, 1, 12, 10) * 3 - 1
    real = Schema((Field("image", "real", (1, 12, 10)),), (1, 12, 10))
    space = Inception.load(weights, Examples(x), real)
    assert (space.low, space.high) == (float(x.min()), float(x.max()))
    space = Inception.load(weights, Examples(x), GREY)
    assert (space.low, space.high) == (0, 255)


def test_the_network_of_2015_is_told_by_its_1008_classes(weights, tmp_path):
    tensors = load_file(weights)
    path = tmp_path / "fid.safetensors"
    save_file({**tensors, "fc.weight": torch.zeros(1008, 2048), "fc.bias": torch.zeros(1008)}, path)
    network, layout = load_inception(path)
    assert layout == "2015"
    x = torch.rand(1, 3, 107, 107) * 2 - 1  # the least that leaves a grid of 1x1 is 75
    ours, _ = load_inception(weights)
    assert not torch.allclose(network(x), ours(x), rtol=1e-3)  # other padding, and a maximum
    assert not network.training
    assert not any(p.requires_grad for p in network.parameters())


def hostile(tmp_path: Path, weights: Path, what: str) -> Path:
    path = tmp_path / f"{what.replace(' ', '-')}.safetensors"
    first = "Conv2d_1a_3x3.conv.weight"
    if what == "truncated":
        path.write_bytes(weights.read_bytes()[:100_000])
        return path
    if what == "a pickle":
        path.write_bytes(b"\x80\x04\x95\x1e\x00\x00\x00\x00\x00\x00\x00cposix\nsystem\n.")
        return path
    if what == "a header of lies":
        path.write_bytes((2**62).to_bytes(8, "little") + b"{}")
        return path
    if what == "empty":
        path.write_bytes(b"")
        return path
    tensors = load_file(weights)
    if what == "lacking":
        del tensors["Mixed_6e.branch_pool.conv.weight"]
    elif what == "another network":
        tensors["layer4.conv.weight"] = torch.zeros(1)
    elif what == "wrong shape":
        tensors[first] = torch.zeros(32, 1, 3, 3)
    elif what == "whole numbers":
        tensors[first] = torch.zeros(32, 3, 3, 3, dtype=torch.int32)
    elif what == "not finite":
        tensors[first][0, 0, 0, 0] = torch.nan
    elif what == "negative variance":
        tensors["Conv2d_1a_3x3.bn.running_var"][3] = -1
    save_file(tensors, path)
    return path


@pytest.mark.parametrize(
    ("what", "told"),
    [
        ("truncated", "no whole safetensors file"),
        ("a pickle", "no whole safetensors file"),
        ("a header of lies", "no whole safetensors file"),
        ("empty", "no whole safetensors file"),
        ("lacking", "lacks 'Mixed_6e.branch_pool.conv.weight'"),
        ("another network", "has 'layer4.conv.weight'"),
        ("wrong shape", r"is \(32, 1, 3, 3\), the network's is \(32, 3, 3, 3\)"),
        ("whole numbers", "is I32"),
        ("not finite", "impossible numbers"),
        ("negative variance", "impossible numbers"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_in_one_line(weights, tmp_path, what, told):
    with pytest.raises(DataError, match=told) as caught:
        load_inception(hostile(tmp_path, weights, what))
    assert "safetensors.torch.save_file" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_and_data_that_are_no_images_are_refused(weights, tmp_path):
    with pytest.raises(DataError, match="there is no file"):
        load_inception(tmp_path / "none.safetensors")
    table = Schema((Field("x", "real", (5,)),), (5,))
    with pytest.raises(DataError, match="grey or colour images"):
        feature_space(Examples(torch.zeros(9, 5)), table, weights)


def test_with_inception_nearest_neighbours_are_looked_for_in_cheap_features(weights, monkeypatch):
    x = torch.randint(0, 256, (230, 1, 12, 10), dtype=torch.uint8)
    space = feature_space(Examples(x[:2]), GREY, weights)
    # the network itself is slow on a processor: two cells stand for its features
    monkeypatch.setattr(type(space), "embed", lambda _, x: x.double().flatten(1)[:, :2])
    found = sample_quality(
        x[:60], Examples(x[60:170]), Examples(x[170:]), schema=GREY, features=space
    )
    assert found.features["name"] == "inception"
    assert "principal components" in found.nearest_features
    assert any("principal components" in line for line in found.lines())
