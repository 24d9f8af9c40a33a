"""What an evaluation hands to its parts, sample quality among them, and what it does without."""

import math
import sys
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn

from lowerbound.data import Data, Examples, Field, Schema
from lowerbound.errors import SettingError
from lowerbound.evaluation import evaluate
from lowerbound.posteriors import DiagonalGaussian
from lowerbound.testing import BernoulliMixture, LinearGaussian, LinearGaussianChain

MODULE = sys.modules[evaluate.__module__]  # the function hides its module
REFERENCE = LinearGaussian.random(2, 4, orthogonal=True)
SCHEMA = Schema((Field("x", "real", (4,), None),), (4,), precision="float64")


def data_of(train: int, validation: int, test: int, missing: str = "") -> Data:
    parts = {}
    for seed, (name, n) in enumerate(
        (("train", train), ("validation", validation), ("test", test))
    ):
        x = REFERENCE.simulate(n, seed=seed).x
        parts[name] = Examples(x, torch.ones_like(x) > 0 if name == missing else None)
    return Data(SCHEMA, *parts.values(), source="planted")


@pytest.fixture
def asked(monkeypatch) -> SimpleNamespace:
    """Calls of `drawn_examples` and `sample_quality`, which answer with words."""
    calls = SimpleNamespace(simulated=[], judged=[])

    def drawn_examples(*given, **named):
        calls.simulated.append((given, named))
        return "z", "x"

    def sample_quality(*given, **named):
        calls.judged.append((given, named))
        return "as good as told"

    monkeypatch.setattr(MODULE, "drawn_examples", drawn_examples)
    monkeypatch.setattr(MODULE, "sample_quality", sample_quality)
    return calls


@pytest.mark.parametrize(
    ("split", "held_out"),
    [(None, "test"), ("test", "test"), ("validation", "validation"), ("train", "test")],
)
def test_samples_are_compared_with_training_and_with_held_out_examples(split, held_out, asked):
    model, data, stages = REFERENCE.vae(DiagonalGaussian), data_of(100, 50, 50), []
    found = evaluate(
        model, data, samples=1, quality=60, features="pixels", split=split, seed=3,
        stage=stages.append,
    )  # fmt: skip
    assert found.quality == "as good as told"
    assert found.examples == (100 if split == "train" else 50)
    assert stages[-1] == "sample quality"
    assert asked.simulated == [((model, 60), {"seed": 3})]
    (((samples, train, real), named),) = asked.judged
    assert (samples, train, real) == ("x", data.train, data.part(held_out))
    assert named == {
        "schema": SCHEMA, "features": "pixels", "most": 60, "seed": 3,
        "device": torch.device("cpu"),
    }  # fmt: skip


def test_at_most_five_thousand_samples_are_compared_where_the_model_is(asked, monkeypatch):
    model, data = REFERENCE.vae(DiagonalGaussian), data_of(100, 1, 50)
    for quality in (50, 5000, 5001, 9000):
        evaluate(model, data, samples=1, quality=quality)
    assert [named["most"] for _, named in asked.judged] == [50, 5000, 5000, 5000]
    assert {named["features"] for _, named in asked.judged} == {"auto"}
    assert {named["seed"] for _, named in asked.judged} == {0}
    held = data.test
    MODULE._quality(nn.Linear(1, 1, device="meta"), data, held, 50, "auto", 0)
    MODULE._quality(nn.Identity(), data, held, 50, "auto", 0)  # a model without parameters
    places = [named["device"] for _, named in asked.judged[-2:]]
    assert places == [torch.device("meta"), torch.device("cpu")]


def test_quality_needs_a_hundred_training_and_fifty_held_out_examples_that_are_whole(asked):
    why = MODULE.why_no_quality
    assert why(None) == "these examples have no splits; give a Data"
    assert why(data_of(100, 1, 50)) is None
    assert why(data_of(100, 1, 50), "train") is None
    assert why(data_of(100, 50, 1), "validation") is None
    for counts, split, words in (
        ((99, 60, 60), None, "there are 99 and 60 examples"),
        ((120, 60, 49), None, "there are 120 and 49 examples"),
        ((120, 60, 49), "test", "there are 120 and 49 examples"),
        ((120, 60, 49), "train", "there are 120 and 49 examples"),
        ((120, 49, 60), "validation", "there are 120 and 49 examples"),
    ):
        assert (
            why(data_of(*counts), split) == f"{words}, and it takes 100 and 50; leave quality out"
        )
    missing = "some cells are missing; leave quality out"
    assert why(data_of(100, 50, 50, "train")) == missing
    assert why(data_of(100, 50, 50, "test")) == missing
    assert why(data_of(100, 50, 50, "validation")) is None
    assert why(data_of(100, 50, 50, "validation"), "validation") == missing
    assert why(data_of(100, 50, 50, "test"), "validation") is None
    words = "^samples are compared with training and held-out data: "
    model = nn.Linear(1, 1)  # refused before anything is asked of it
    with pytest.raises(SettingError, match=words + "these examples have no splits"):
        evaluate(model, REFERENCE.simulate(60).x, quality=50)
    with pytest.raises(SettingError, match=words + "there are 99 and 60"):
        evaluate(model, data_of(99, 60, 60), quality=50)
    with pytest.raises(SettingError, match=words + "there are 120 and 49"):
        evaluate(model, data_of(120, 49, 60), quality=50, split="validation")
    assert not asked.simulated


class Bottom(LinearGaussianChain):
    """A model that infers its groups from x up, and says what it checks."""

    def __init__(self) -> None:
        super().__init__((2, 1), 3, order="bottom-up")
        self.seen: list[tuple[Tensor, Tensor | None, str]] = []

    def check(self, x: Tensor, observed: Tensor | None = None, name: str = "x") -> None:
        self.seen.append((x, observed, name))


def test_a_model_is_evaluated_that_has_no_groups_to_take_apart():
    chain = Bottom()
    x = chain.simulate(5).x
    found = evaluate(chain, x, samples=2)
    assert found.log_likelihood.mean == pytest.approx(chain.log_evidence(x).mean().item())
    assert found.information is None
    assert found.unit_rate is None


def test_the_law_of_x_says_whether_there_are_bits(asked):
    counted = BernoulliMixture()
    x = counted.simulate(5).x
    found = evaluate(counted, x, samples=2)
    bits = -found.log_likelihood.mean / (x.shape[1] * math.log(2))
    assert found.bits_per_dimension.mean == pytest.approx(bits)
    measured = evaluate(REFERENCE.vae(), REFERENCE.simulate(5).x, samples=2)
    assert measured.bits_per_dimension is None
    assert "density" in measured.bits_per_dimension_reason


def test_the_model_checks_what_is_observed():
    model = Bottom()
    x = torch.tensor([[1.0, 2.0, 3.0]], dtype=torch.float64)
    evaluate(model, x, samples=1, name="mine")
    known = torch.tensor([[True, False, True]])
    evaluate(model, Examples(x, known), samples=1)
    (given, observed, name), (again, mask, other) = model.seen
    assert torch.equal(given, x) and torch.equal(again, x)
    assert observed is None and torch.equal(mask, known)
    assert (name, other) == ("mine", "data")


def test_every_choice_of_examples_is_by_the_seed(monkeypatch):
    calls, made = [], MODULE.chosen

    def recorded(examples, count, seed):
        calls.append((len(examples), count, seed))
        return made(examples, count, seed)

    monkeypatch.setattr(MODULE, "chosen", recorded)
    monkeypatch.setattr(MODULE, "search_gaps", lambda *_, **__: None)
    monkeypatch.setattr(MODULE, "_tightened", lambda *_: None)
    evaluate(REFERENCE.vae(DiagonalGaussian), data_of(9, 1, 8), samples=1, ais=3, gaps=2, seed=6)
    assert calls == [(9, 500, 6), (8, 3, 6), (8, 2, 6)]


def test_training_examples_are_judged_by_five_thousand_at_most_and_ten_draws():
    assert (MODULE.TRAIN_SAMPLES, MODULE.TRAIN_EXAMPLES, MODULE.FEWEST_HELD_OUT) == (10, 5000, 50)
