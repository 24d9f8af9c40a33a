"""Feature spaces: what they keep, what they say, and what they refuse."""

import pytest
import torch

from lowerbound.data import Examples, Field, Schema
from lowerbound.errors import DataError, SettingError, ShapeError, UnknownNameError
from lowerbound.evaluation.quality import PCA, Classifier, Pixels, classifier, feature_space
from lowerbound.evaluation.quality.classifier import perceptron

IMAGES = Schema((Field("image", "ordinal", (1, 9, 10), 256),), (1, 9, 10))
VECTOR = Schema((Field("x", "real", (80,)),), (80,))


def two_kinds(count: int = 200) -> Examples:
    """Dark and bright images, labelled."""
    label = torch.arange(count) % 2
    x = torch.randint(0, 100, (count, 1, 9, 10)) + 150 * label[:, None, None, None]
    return Examples(x.to(torch.uint8), label=label)


def reals(count: int, rank: int = 80) -> Examples:
    return Examples(torch.randn(count, rank) @ torch.randn(rank, 80) / rank**0.5)


def test_levels_lie_from_0_to_1_and_reals_have_deviation_1():
    images = two_kinds()
    cells = Pixels.fit(images, IMAGES)(images.x)
    assert torch.equal(cells, images.x.flatten(1).double() / 255)
    columns = Examples(torch.randn(500, 80) * torch.arange(1, 81) + 7)
    cells = Pixels.fit(columns, VECTOR)(columns.x)
    assert torch.allclose(cells.mean(dim=0), torch.zeros(80).double(), atol=1e-6)
    assert torch.allclose(cells.var(dim=0, unbiased=False), torch.ones(80).double(), atol=1e-6)
    field = Field("x", "real", (2,), mean=(1.0, 2.0), scale=(10.0, 20.0))
    measured = Pixels.fit(columns, Schema((field,), (2,)))(torch.tensor([[11.0, 42.0]]))
    assert measured.tolist() == [[1, 2]]
    still = Pixels.fit(Examples(torch.ones(5, 80)), VECTOR)(torch.ones(5, 80))
    assert still.abs().max() == 0  # a constant column has unit 1


def test_components_keep_distances_within_their_span_and_the_rest_is_a_distance():
    train = reals(300, rank=3)
    space = PCA.fit(train, VECTOR, components=3)
    assert space.explained == pytest.approx(1, abs=1e-6)
    features = space(train.x)
    cells = space.pixels(train.x)
    assert features.shape == (300, 4)
    assert float(features[:, 3].max()) < 1e-4
    assert torch.allclose(torch.cdist(features, features), torch.cdist(cells, cells), atol=1e-3)
    noisy = space(train.x + 0.5 * torch.randn(300, 80))
    assert float(noisy[:, 3].min()) > 1  # noise outside the span is seen by the last feature


def test_components_hold_what_exact_ones_hold():
    train = Examples(torch.randn(400, 80) * 0.9 ** torch.arange(80) + 1)
    schema = Schema((Field("image", "real", (1, 8, 10)),), (1, 8, 10))  # one unit for all cells
    space = PCA.fit(Examples(train.x.view(-1, 1, 8, 10)), schema, components=10)
    spectrum = torch.linalg.eigvalsh(train.x.double().T.cov()).flip(0)
    assert space.explained == pytest.approx(float(spectrum[:10].sum() / spectrum.sum()), abs=1e-4)
    identity = torch.eye(10, dtype=torch.float64)
    assert torch.allclose(space.components.T @ space.components, identity, atol=1e-8)
    assert f"hold {100 * space.explained:.0f} %" in space.words
    assert "not whitened" in space.words


def test_a_classifier_says_how_often_it_is_right_about_examples_it_did_not_see():
    images = two_kinds(400)
    space = Classifier.fit(images, IMAGES)
    assert space.accuracy == 1.0
    assert (space.held_out, space.fitted_on, space.classes) == (40, 360, 2)
    assert "right about 100 % of 40 others" in space.words
    assert space.to_json()["accuracy"] == 1.0


def test_a_classifiers_accuracy_is_about_other_examples_than_it_learned_from(monkeypatch):
    seen = []

    def spy(x, label, hidden, *, epochs, seed):
        seen.append(x)
        net = perceptron(x, label, hidden, epochs=1, seed=seed)
        guess = net.predict
        monkeypatch.setattr(net, "predict", lambda y: seen.append(torch.from_numpy(y)) or guess(y))
        return net

    monkeypatch.setattr(classifier, "perceptron", spy)
    space = Classifier.fit(two_kinds(), IMAGES)
    learned, tested = ({tuple(row.tolist()) for row in rows.float()} for rows in seen)
    assert (len(learned), len(tested)) == (space.fitted_on, space.held_out) == (180, 20)
    assert not learned & tested


def test_a_classifiers_features_are_its_last_hidden_layer():
    images = two_kinds()
    cells = Pixels.fit(images, IMAGES)
    net = perceptron(cells(images.x), images.label, (12, 5), epochs=3, seed=1)
    tensors = [torch.from_numpy(t).double() for t in (*net.coefs_, *net.intercepts_)]
    layers = tuple(zip(tensors[:2], tensors[3:5], strict=True))
    space = Classifier(IMAGES.shape, cells, layers, 1.0, 1, 1, 2)
    odds = space(images.x) @ tensors[2] + tensors[5]
    expected = torch.from_numpy(net.predict_proba(cells(images.x).float().numpy())[:, 1]).double()
    assert torch.allclose(odds.sigmoid()[:, 0], expected, atol=1e-5)
    assert space.dimensions == 5


def test_large_images_are_classified_by_their_components():
    shape = (1, 70, 70)
    schema = Schema((Field("image", "ordinal", shape, 256),), shape)
    label = torch.arange(60) % 2
    x = (torch.randint(0, 9, (60, *shape)) + 50 * label[:, None, None, None]).to(torch.uint8)
    space = Classifier.fit(Examples(x, label=label), schema)
    assert isinstance(space.inputs, PCA)
    assert space(x).shape == (60, 64)


def test_auto_takes_what_the_data_allow():
    images = two_kinds()
    assert feature_space(images, IMAGES).name == "classifier"
    assert feature_space(Examples(images.x), IMAGES).name == "pca"
    assert feature_space(images.select(slice(0, 30)), IMAGES).name == "pca"  # too few of a class
    assert feature_space(reals(50), VECTOR).name == "pca"
    narrow = Schema((Field("x", "real", (5,)),), (5,))
    assert feature_space(Examples(torch.randn(50, 5)), narrow).name == "pixels"
    assert feature_space(images, IMAGES, "pixels").dimensions == 90


@pytest.mark.parametrize("choice", ["pca", "classifier"])
def test_a_seed_repeats_a_space_and_leaves_the_random_state_alone(choice):
    images = two_kinds()
    state = torch.get_rng_state()
    first, again = (feature_space(images, IMAGES, choice, seed=2)(images.x) for _ in range(2))
    assert torch.equal(first, again)
    assert torch.equal(torch.get_rng_state(), state)


def test_impossible_spaces_are_refused(tmp_path):
    images = two_kinds()
    with pytest.raises(UnknownNameError, match="did you mean 'pixels'"):
        feature_space(images, IMAGES, "pixel")
    for labels in (None, torch.zeros(200, dtype=torch.int64), torch.arange(200)):
        with pytest.raises(SettingError, match="use --features pca"):
            feature_space(Examples(images.x, label=labels), IMAGES, "classifier")
    pickled = tmp_path / "weights.pt"
    pickled.write_bytes(b"whatever")
    with pytest.raises(SettingError, match=r"must be a \.safetensors file"):
        feature_space(images, IMAGES, pickled)
    with pytest.raises(DataError, match="at least 2 training examples"):
        feature_space(images.select(slice(0, 1)), IMAGES, "pca")
    gaps = Examples(images.x, images.x > 3)
    with pytest.raises(DataError, match="impute"):
        feature_space(gaps, IMAGES, "pca")


def test_impossible_examples_are_refused():
    space = feature_space(two_kinds(), IMAGES, "pixels")
    with pytest.raises(ShapeError, match=r"of \(N, 1, 9, 10\) examples, got \(3, 1, 9, 9\)"):
        space(torch.zeros(3, 1, 9, 9))
    with pytest.raises(DataError, match="no finite features"):
        space(torch.full((3, 1, 9, 10), torch.nan))
