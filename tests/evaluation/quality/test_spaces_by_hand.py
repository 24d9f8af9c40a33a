"""Feature spaces on a few numbers: what they are fitted on, and what they make of an example."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import Tensor

from lowerbound.data import Examples, Field, Schema
from lowerbound.errors import SettingError
from lowerbound.evaluation.quality import (
    PCA,
    Classifier,
    Pixels,
    classifier,
    pixels,
    space,
)
from lowerbound.evaluation.quality.classifier import can_classify, perceptron
from lowerbound.evaluation.quality.pixels import rows_to_fit

F64 = torch.float64
Numbers = tuple[float, ...] | None


def vector(width: int, mean: Numbers = None, scale: Numbers = None) -> Schema:
    return Schema((Field("x", "real", (width,), mean=mean, scale=scale),), (width,))


def grey(height: int, width: int, kind: str = "ordinal") -> Schema:
    levels = {"ordinal": 256, "binary": 2, "real": None}[kind]
    shape = (1, height, width)
    return Schema((Field("image", kind, shape, levels),), shape)


# cells


def test_columns_have_a_unit_each_and_images_one_in_all():
    x = torch.tensor([[1.0, 0.0, 7.0], [3.0, 0.5, 7.0]])  # deviations 1, 1/4 and none
    fitted = Pixels.fit(Examples(x), vector(3))
    assert fitted.location.tolist() == [2, 0.25, 7]
    assert fitted.unit.tolist() == [1, 0.25, 1]
    assert fitted(x).tolist() == [[-1, -1, 0], [1, 1, 0]]
    image = torch.tensor([0.0, 0.0, 0.0, 4.0]).reshape(2, 1, 1, 2)
    fitted = Pixels.fit(Examples(image), grey(1, 2, "real"))
    assert (float(fitted.location), float(fitted.unit)) == (1.0, pytest.approx(3**0.5))
    assert fitted.embed(image).shape == (2, 2)
    assert fitted.words == "the 2 cells themselves, in standard deviations, not whitened"
    assert (fitted.name, fitted.dimensions, fitted.shape) == ("pixels", 2, (1, 1, 2))


def test_what_the_schema_measured_or_how_many_levels_it_has_goes_before_the_examples():
    x = Examples(torch.tensor([[1.0, 5.0], [9.0, 5.0]]))
    fitted = Pixels.fit(x, vector(2, (1.0, 2.0), (10.0, 0.5)))
    assert fitted(torch.tensor([[11.0, 3.0]])).tolist() == [[1, 2]]
    assert (fitted.location.dtype, fitted.unit.dtype) == (F64, F64)
    levels = Schema((Field("x", "ordinal", (2000,), 5),), (2000,))
    fitted = Pixels.fit(x, levels)
    assert fitted.embed(torch.tensor([[4, 1]])).tolist() == [[1, 0.25]]
    assert (fitted.location.dtype, fitted.unit.dtype) == (F64, F64)
    assert fitted.words == "the 2,000 cells themselves, from 0 to 1, not whitened"


# components


def test_components_are_the_first_singular_vectors_of_the_centred_cells():
    x = torch.tensor([[2.0, 0, 0, 1], [-2, 0, 0, 1], [0, 1, 0, 1], [0, -1, 0, 1]]) + 3
    fitted = PCA.fit(Examples(x), vector(4, (0.0,), (10.0,)), 1, seed=2)  # squares sum to 0.1
    assert torch.allclose(fitted.components.abs(), torch.tensor([[1.0], [0], [0], [0]]).double())
    assert torch.allclose(fitted.mean, torch.tensor([0.3, 0.3, 0.3, 0.4]).double())
    assert fitted.explained == pytest.approx(0.8)
    assert (fitted.fitted_on, fitted.dimensions, fitted.name) == (4, 2, "pca")
    found = fitted(torch.tensor([[5.0, 6, 3, 8]]))  # 2 along, 3 and 4 off, tenths of them
    assert found.abs().tolist() == [pytest.approx([0.2, 0.5])]
    assert fitted.words == (
        "1 principal components of the cells (in standard deviations), not whitened, fitted on 4 "
        "training examples, of whose variance they hold 80 %, and the distance from their span"
    )


@pytest.mark.parametrize(
    ("examples", "width", "asked", "kept", "sketched"),
    [(9, 5, 3, 3, 5), (9, 5, 64, 5, 5), (4, 9, 64, 3, 4), (40, 50, 10, 10, 26), (2, 5, 3, 1, 2)],
)
def test_as_many_components_are_kept_as_there_can_be(
    examples, width, asked, kept, sketched, monkeypatch
):
    calls, made = [], torch.svd_lowrank

    def recorded(cells, q, niter):
        calls.append((tuple(cells.shape), q, niter, torch.initial_seed()))
        return made(cells, q=q, niter=niter)

    monkeypatch.setattr(torch, "svd_lowrank", recorded)
    x = torch.randn(examples, width)
    fitted = PCA.fit(Examples(x), vector(width, (0.0,), (1.0,)), asked, seed=5)
    assert calls == [((examples, width), sketched, 4, 5)]
    assert fitted.components.shape == (width, kept)
    plain = PCA.fit(Examples(x), vector(width, (0.0,), (1.0,)), asked)
    assert calls[-1][-1] == 0
    assert plain.components.shape == (width, kept)
    if examples > 30:
        return
    lengths = torch.linalg.svdvals((x - x.mean(dim=0)).double()).square()
    assert fitted.explained == pytest.approx(float(lengths[:kept].sum() / lengths.sum()))
    identity = torch.eye(kept, dtype=F64)
    assert torch.allclose(fitted.components.T @ fitted.components, identity, atol=1e-9)


def test_components_of_examples_that_never_vary_hold_all_there_is():
    fitted = PCA.fit(Examples(torch.ones(5, 3)), vector(3))
    assert fitted.explained == 1.0
    assert fitted(torch.ones(2, 3)).abs().max() == 0


def test_a_space_is_fitted_on_some_of_the_training_examples(monkeypatch):
    x = torch.randn(9, 2)
    assert rows_to_fit(vector(5000)) == 10_000
    assert rows_to_fit(vector(5001)) == 9998
    assert rows_to_fit(vector(30_000_000)) == 2
    assert (pixels.COMPONENTS, pixels.CELLS_TO_FIT, pixels.EXAMPLES_TO_FIT) == (
        64, 50_000_000, 10_000,
    )  # fmt: skip
    monkeypatch.setattr(pixels, "EXAMPLES_TO_FIT", 6)
    fitted = PCA.fit(Examples(x), vector(2, (0.0,), (1.0,)), seed=3)
    chosen = x[space.some(6, 9, 3)].double()
    assert fitted.fitted_on == 6
    assert torch.allclose(fitted.mean, chosen.mean(dim=0))


def test_components_leave_the_random_state_alone():
    x, state = Examples(torch.eye(9, 4)), torch.get_rng_state()
    PCA.fit(x, vector(4))
    assert torch.equal(torch.get_rng_state(), state)


# classifier


class Parrot:
    """A perceptron with weights that are written down, and the first class for an answer."""

    def __init__(self, monkeypatch) -> None:
        self.coefs_ = [np.eye(2, 3), np.array([[1.0, 0], [0, 2], [1, 1]]), np.ones((2, 2))]
        self.intercepts_ = [np.array([0.0, -1, 1]), np.array([0.5, -3]), np.ones(2)]
        self.asked = []
        monkeypatch.setattr(classifier, "perceptron", self)

    def __call__(self, x: Tensor, label: Tensor, hidden, *, epochs, seed):
        self.asked.append(SimpleNamespace(x=x, label=label, settings=(hidden, epochs, seed)))
        return self

    def predict(self, x: np.ndarray) -> np.ndarray:
        self.asked[-1].tested = torch.from_numpy(x)
        return np.full(len(x), 7)


def labelled(count: int, width: int = 2) -> Examples:
    x = torch.arange(float(count * width)).reshape(count, width)
    return Examples(x, label=torch.arange(count) % 3 + 7)


def test_a_classifier_learns_from_nine_tenths_and_is_tested_on_the_others(monkeypatch):
    parrot, train = Parrot(monkeypatch), labelled(75)
    monkeypatch.setattr(pixels, "EXAMPLES_TO_FIT", 65)
    fitted = Classifier.fit(train, vector(2, (1.0,), (2.0,)), seed=4)
    rows = space.some(65, 75, 4)
    seen, label = (train.x[rows].double() - 1) / 2, train.label[rows]
    aside = [i for i in range(65) if i % 10 == 0]
    others = [i for i in range(65) if i % 10 != 0]
    (asked,) = parrot.asked
    assert torch.equal(asked.x, seen[others])
    assert torch.equal(asked.label, label[others])
    assert torch.equal(asked.tested, seen[aside].float())
    assert asked.settings == ((256, 64), 20, 4)
    right = float((label[aside] == 7).double().mean())
    assert (fitted.accuracy, fitted.held_out, fitted.fitted_on, fitted.classes) == (
        pytest.approx(right), 7, 58, 3,
    )  # fmt: skip
    assert 0 < right < 1
    assert (fitted.name, fitted.dimensions, fitted.shape) == ("classifier", 2, (2,))
    assert fitted.words == (
        "the 2 last hidden units of a classifier of 3 classes, trained on 58 training examples, "
        f"right about {100 * right:.0f} % of 7 others; blind to what does not matter for the class"
    )
    assert fitted.to_json() == {
        "name": "classifier", "words": fitted.words, "dimensions": 2,
        "accuracy": fitted.accuracy, "accuracy_on": 7,
    }  # fmt: skip
    # cells 3 and 5 are 1 and 2; hidden units 1, 1 and 1; 2.5 and 0
    assert fitted(torch.tensor([[3.0, 5.0]])).tolist() == [[2.5, 0.0]]
    assert fitted(torch.tensor([[3.0, 5.0]])).dtype == F64
    Classifier.fit(train, vector(2))
    assert parrot.asked[-1].settings[2] == 0


def test_features_are_the_last_of_however_many_hidden_layers():
    layers = tuple((torch.ones(a, b).double(), torch.zeros(b).double()) for a, b in (
        (2, 3), (3, 4), (4, 5),
    ))  # fmt: skip
    cells = Pixels.fit(Examples(torch.zeros(2, 2)), vector(2, (0.0,), (1.0,)))
    fitted = Classifier((2,), cells, layers, 1.0, 3, 27, 2)
    assert fitted.dimensions == 5
    assert fitted(torch.ones(1, 2)).tolist() == [[2.0 * 3 * 4] * 5]
    assert "right about 100 % of 3 others" in fitted.words


def test_a_classifier_of_large_examples_sees_components(monkeypatch):
    Parrot(monkeypatch)
    assert (classifier.MOST_CELLS, classifier.COMPONENTS_SEEN) == (4096, 256)
    monkeypatch.setattr(classifier, "MOST_CELLS", 3)
    monkeypatch.setattr(classifier, "COMPONENTS_SEEN", 2)
    assert isinstance(Classifier.fit(labelled(60, 3), vector(3)).inputs, Pixels)
    noise = Examples(torch.randn(60, 4), label=torch.arange(60) % 3)
    found = Classifier.fit(noise, vector(4), seed=5).inputs
    expected = PCA.fit(noise.select(space.some(60, 60, 5)), vector(4), 2, seed=5)
    assert torch.equal(found.components, expected.components)
    assert found.dimensions == 3


def test_twenty_examples_of_each_of_two_classes_are_enough():
    assert can_classify(Examples(torch.zeros(40, 1), label=torch.arange(40) % 2))
    assert not can_classify(Examples(torch.zeros(39, 1), label=torch.arange(39) % 2))
    assert not can_classify(Examples(torch.zeros(99, 1), label=torch.ones(99)))
    assert not can_classify(Examples(torch.zeros(0, 1), label=torch.ones(0)))
    assert not can_classify(Examples(torch.zeros(99, 1)))
    for label in (None, torch.ones(99)):
        with pytest.raises(SettingError, match="20 training examples for each; use --features pca"):
            Classifier.fit(Examples(torch.zeros(99, 1), label=label), vector(1))
    assert (classifier.EXAMPLES_PER_CLASS, classifier.HELD_OUT, classifier.EPOCHS) == (20, 10, 20)


@pytest.mark.parametrize(("count", "batch"), [(100, 16), (900, 30), (10_000, 64)])
def test_a_perceptron_is_scikit_learns_after_so_many_passes(count, batch, monkeypatch):
    asked, passes = {}, []

    class Recorded:
        def __init__(self, hidden, **settings) -> None:
            asked.update(settings, hidden=hidden)

        def partial_fit(self, x, label, classes) -> None:
            passes.append((x, label, classes))

    monkeypatch.setattr("sklearn.neural_network.MLPClassifier", Recorded)
    x, label = torch.randn(count, 2).double(), torch.arange(count) % 3 + 1
    assert isinstance(perceptron(x, label, (4, 2), epochs=3, seed=2**32 + 5), Recorded)
    assert asked == {
        "hidden": (4, 2), "alpha": 1e-3, "batch_size": batch, "learning_rate_init": 2e-3,
        "random_state": 5,
    }  # fmt: skip
    assert len(passes) == 3
    for seen, classes, known in passes:
        assert np.array_equal(seen, x.float().numpy())
        assert seen.dtype == np.float32
        assert np.array_equal(classes, label.numpy())
        assert known.tolist() == [1, 2, 3]
