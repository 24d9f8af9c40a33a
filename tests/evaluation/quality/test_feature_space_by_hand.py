"""Which feature space is chosen, and what Inception is shown, with a network of a few numbers."""

import pytest
import torch
from torch import Tensor, nn

from lowerbound.data import Examples, Field, Schema
from lowerbound.errors import DataError, SettingError, UnknownNameError
from lowerbound.evaluation.quality import (
    PCA,
    Classifier,
    Inception,
    Pixels,
    feature_space,
    features,
)

Numbers = tuple[float, ...] | None


def vector(width: int, mean: Numbers = None, scale: Numbers = None) -> Schema:
    return Schema((Field("x", "real", (width,), mean=mean, scale=scale),), (width,))


def grey(height: int, width: int, kind: str = "ordinal") -> Schema:
    levels = {"ordinal": 256, "binary": 2, "real": None}[kind]
    shape = (1, height, width)
    return Schema((Field("image", kind, shape, levels),), shape)


# Inception


class Means(nn.Module):
    """In place of the network: means and the corner of what it is shown."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))
        self.seen = []

    def forward(self, x: Tensor) -> Tensor:
        self.seen.append(x)
        return x.mean(dim=(2, 3))


def inception(
    monkeypatch, x: Tensor, schema: Schema, layout: str = "2015", **more: str
) -> Inception:
    asked = []
    monkeypatch.setattr(
        features, "load_inception", lambda path: asked.append(path) or (Means(), layout)
    )
    found = Inception.load("somewhere", Examples(x), schema, **more)
    assert asked == ["somewhere"]
    return found


def test_images_are_scaled_from_black_and_white_to_one_below_and_above_nought(monkeypatch):
    x = torch.rand(3, 1, 6, 5) * 3 - 1
    fitted = inception(monkeypatch, x, grey(6, 5, "real"))
    assert (fitted.low, fitted.high) == (float(x.min()), float(x.max()))
    found = fitted.embed(5 * x)  # what lies beyond is cut off
    unit = ((5 * x - x.min()) / (x.max() - x.min())).clamp(0, 1)
    (seen,) = fitted.network.seen
    scaled = nn.functional.interpolate(
        unit.expand(-1, 3, -1, -1), (299, 299), mode="bilinear", align_corners=False, antialias=True
    )
    assert torch.allclose(seen, 2 * scaled - 1, atol=1e-5)
    assert found.shape == (3, 3)
    large = 2 * torch.rand(1, 1, 700, 650)
    fitted = Inception((1, 700, 650), fitted.network, 0.0, 2.0, "2015")
    fitted.embed(large)
    smaller, averaged = (
        fitted.network.seen[-1],
        nn.functional.interpolate(
            (large / 2).expand(-1, 3, -1, -1), (299, 299), mode="bilinear", antialias=True
        ),
    )
    assert torch.allclose(smaller, 2 * averaged - 1, atol=1e-5)  # averaged, not thinned out
    fitted = inception(monkeypatch, x, grey(6, 5, "real"))
    assert (fitted.rows_at_once(), fitted.dimensions, fitted.costly) == (16, 2048, True)
    assert (fitted.name, fitted.shape, features.SIDE) == ("inception", (1, 6, 5), 299)


@pytest.mark.parametrize(
    ("kind", "x", "low", "high"),
    [
        ("ordinal", torch.zeros(2, 1, 3, 3), 0.0, 255.0),
        ("binary", torch.zeros(2, 1, 3, 3), 0.0, 1.0),
        ("real", torch.zeros(0, 1, 3, 3), 0.0, 1.0),
        ("real", torch.full((2, 1, 3, 3), 5.0), 5.0, 6.0),
    ],
)
def test_black_and_white_are_the_levels_or_else_the_extremes(kind, x, low, high, monkeypatch):
    """A single grey of 5 divided nought by nought: 5 + 1e-30 is 5."""
    fitted = inception(monkeypatch, x, grey(3, 3, kind))
    assert (fitted.low, fitted.high) == (low, high)
    assert bool(fitted.embed(torch.full((1, 1, 3, 3), low)).eq(-1).all())


def test_its_layout_and_whether_images_are_grey_are_told(monkeypatch):
    colour = Schema((Field("image", "ordinal", (3, 3, 3), 256),), (3, 3, 3))
    words = (
        "the 2,048 averages before the classifier of Inception-v3 ({}), images scaled to 299x299"
    )
    for schema, layout, told in (
        (colour, "2015", words.format("the layout of 2015") + "; not whitened"),
        (grey(3, 3), "torchvision", words.format("torchvision's layout")
         + ", grey repeated three times; not whitened"),
    ):  # fmt: skip
        fitted = inception(monkeypatch, torch.zeros(2, *schema.shape), schema, layout)
        assert fitted.words == told
    two = Schema((Field("image", "ordinal", (2, 3, 3), 256),), (2, 3, 3))
    for schema in (vector(3), vector(1), two):
        with pytest.raises(DataError, match="of grey or colour images, not of"):
            Inception.load("somewhere", Examples(torch.zeros(2, *schema.shape)), schema)


def test_images_go_where_the_network_is(monkeypatch):
    x = torch.rand(2, 1, 3, 3)
    there = inception(monkeypatch, x, grey(3, 3, "real"), device="meta")
    assert there.network.weight.device.type == there.embed(x).device.type == "meta"
    here = inception(monkeypatch, x, grey(3, 3, "real"))
    assert here.network.weight.device.type == here.embed(x).device.type == "cpu"


# which one


@pytest.fixture
def recorded(monkeypatch) -> list:
    """What each space was asked to be fitted on."""
    calls = []
    for kind, name in ((PCA, "fit"), (Classifier, "fit"), (Pixels, "fit"), (Inception, "load")):
        monkeypatch.setattr(
            kind, name, lambda *given, _kind=kind, **named: calls.append((_kind, given, named))
        )
    return calls


def test_every_choice_is_fitted_on_the_training_examples(recorded, tmp_path):
    train, schema = Examples(torch.zeros(99, 2)), vector(2)
    for choice in ("pixels", "pca", "classifier", tmp_path / "a.safetensors"):
        feature_space(train, schema, choice, seed=7, device="meta")
    feature_space(train, schema, "pca")
    feature_space(train, schema, str(tmp_path / "a.safetensors"))
    path = tmp_path / "a.safetensors"
    assert recorded == [
        (Pixels, (train, schema), {}),
        (PCA, (train, schema), {"seed": 7}),
        (Classifier, (train, schema), {"seed": 7}),
        (Inception, (path, train, schema, "meta"), {}),
        (PCA, (train, schema), {"seed": 0}),
        (Inception, (path, train, schema, "cpu"), {}),
    ]


def test_auto_is_a_classifier_for_labelled_images_and_components_beyond_64_cells(recorded):
    label = torch.arange(60) % 2
    for schema, labels in (
        (grey(8, 8), label), (grey(8, 8), None), (vector(64), label), (vector(65), label),
        (grey(5, 13), None),
    ):  # fmt: skip
        train = Examples(torch.zeros(60, *schema.shape), label=labels)
        feature_space(train, schema)
        feature_space(train, schema, "auto")
    assert [kind for kind, _, _ in recorded[::2]] == [Classifier, Pixels, Pixels, PCA, PCA]
    assert [kind for kind, _, _ in recorded[1::2]] == [Classifier, Pixels, Pixels, PCA, PCA]


def test_what_no_space_can_be_fitted_on_is_refused(recorded, tmp_path):
    x, schema = torch.zeros(9, 2), vector(2)
    (tmp_path / "weights.bin").touch()
    with pytest.raises(SettingError, match=r"must be a \.safetensors file, got"):
        feature_space(Examples(x), schema, tmp_path / "weights.bin")
    with pytest.raises(UnknownNameError) as refused:
        feature_space(Examples(x), schema, "pixel")
    assert str(refused.value) == str(
        UnknownNameError("feature space", "pixel", ("auto", "pixels", "pca", "classifier"))
    )
    with pytest.raises(DataError, match="at least 2 training examples, got 1"):
        feature_space(Examples(x[:1]), schema)
    with pytest.raises(DataError, match="without missing cells"):
        feature_space(Examples(x, x > 0), schema)
    assert not recorded
    feature_space(Examples(x[:2]), schema)
    feature_space(Examples(x, x == 0), schema)
    assert len(recorded) == 2
