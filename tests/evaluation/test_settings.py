"""What every part of an evaluation does alike: defaults, streams, devices, the model's own mode."""

import dataclasses
import math
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lowerbound.data import Batch, Data, Examples, Field, Schema
from lowerbound.errors import SettingError
from lowerbound.evaluation import (
    Annealing,
    Evaluation,
    annealed,
    evaluate,
    evidence,
    gaps,
    information,
    sandwich,
)
from lowerbound.evaluation.sandwich import simulated
from lowerbound.posteriors import DiagonalGaussian
from lowerbound.seeding import seeded
from lowerbound.testing import LinearGaussian

REFERENCE = LinearGaussian.random(2, 4, orthogonal=True)
X = REFERENCE.simulate(6).x
FEW = Annealing(2, 2, 1)


def module_of(function: Callable[..., Any]) -> Any:
    return sys.modules[function.__module__]


def vague() -> nn.Module:
    """An encoder that is off, so that every draw shows in the figures."""
    model = REFERENCE.vae(DiagonalGaussian)
    with torch.no_grad():
        model.posterior.network.layers[0].bias.add_(0.2)
    return model


def without_parameters() -> nn.Module:
    """The same numbers, none of which can be trained."""
    model = vague()
    for part in model.modules():
        for name, parameter in list(part.named_parameters(recurse=False)):
            delattr(part, name)
            part.register_buffer(name, parameter.detach())
    assert not list(model.parameters())
    return model


def plain(found: Any) -> list[float]:
    """All the numbers of a result."""
    if isinstance(found, Tensor):
        return found.double().flatten().tolist()
    if isinstance(found, (int, float)):
        return [float(found)]
    if isinstance(found, dict):
        return [number for value in found.values() for number in plain(value)]
    if isinstance(found, tuple):
        return [number for value in found for number in plain(value)]
    if dataclasses.is_dataclass(found):
        return plain({f.name: getattr(found, f.name) for f in dataclasses.fields(found)})
    return []


#: Each part on one model, as quick as it can be, and the stream of its draws.
PARTS: dict[str, tuple[Callable[..., Any], Callable[..., Any], str]] = {
    "evidence": (evidence, lambda m, **k: evidence(m, Examples(X), 3, **k), "evidence"),
    "information": (information, lambda m, **k: information(m, Examples(X), **k), "information"),
    "simulated": (simulated, lambda m, **k: simulated(m, 5, **k), "simulation"),
    "annealed": (annealed, lambda m, **k: annealed(m, Examples(X), FEW, **k), "annealing"),
    "gaps": (gaps, lambda m, **k: gaps(m, Examples(X), updates=1, samples=2, **k), "gaps"),
    "sandwich": (sandwich, lambda m, **k: sandwich(m, 3, FEW, samples=2, **k), "sandwich"),
    "evaluate": (evaluate, lambda m, **k: evaluate(m, X, samples=2, **k), ""),
}
every_part = pytest.mark.parametrize("part", PARTS)


@every_part
def test_the_seed_decides_and_is_0_unless_another_is_given(part):
    _, run, _ = PARTS[part]
    model, state = vague(), torch.get_rng_state()
    numbers = plain(run(model))
    assert numbers
    assert plain(run(model, seed=0)) == pytest.approx(numbers, rel=1e-12, nan_ok=True)
    assert plain(run(model, seed=1)) != pytest.approx(numbers, rel=1e-6, nan_ok=True)
    assert plain(run(model, seed=None)) != pytest.approx(numbers, rel=1e-6, nan_ok=True)
    assert torch.equal(torch.get_rng_state(), state)


@every_part
def test_draws_are_of_a_stream_of_their_own_on_the_models_device(part, monkeypatch):
    function, run, stream = PARTS[part]
    asked = []

    def recorded(seed, device="not given", *, stream=""):
        asked.append((seed, str(device), stream))
        return seeded(seed, "cpu" if device == "not given" else device, stream=stream)

    monkeypatch.setattr(module_of(function), "seeded", recorded)
    run(vague(), seed=5)
    if part == "evaluate":  # its parts have streams, it has none
        assert asked == []
        return
    device = "not given" if part == "sandwich" else "cpu"
    assert asked[0] == (5, device, stream)
    if part == "gaps":  # where the draws that judge are made
        assert [at for _, at, _ in asked] == ["cpu"] * 3


@every_part
def test_examples_go_to_the_models_device_and_a_model_without_parameters_is_on_the_cpu(
    part, monkeypatch
):
    _, run, _ = PARTS[part]
    places, to = [], Batch.to
    monkeypatch.setattr(Batch, "to", lambda self, at: places.append(at) or to(self, at))
    numbers = plain(run(vague()))
    assert set(places) == (set() if part == "simulated" else {torch.device("cpu")})
    assert plain(run(without_parameters())) == pytest.approx(numbers, rel=1e-12, nan_ok=True)


@every_part
@pytest.mark.parametrize("training", [True, False])
def test_the_model_is_in_evaluation_mode_meanwhile_and_in_its_own_afterwards(part, training):
    _, run, _ = PARTS[part]
    model, modes = vague().train(training), []
    model.likelihood.register_forward_hook(lambda m, i, o: modes.append(m.training))
    run(model)
    assert modes
    assert not any(modes)
    assert model.training is training
    assert model.posterior.training is training

    def broken(*_: object) -> None:
        raise RuntimeError("no")

    model.likelihood.register_forward_hook(broken)
    with pytest.raises(RuntimeError, match="no"):
        run(model)
    assert model.training is training
    assert all(p.requires_grad for p in model.parameters())


@every_part
def test_figures_have_no_history(part):
    _, run, _ = PARTS[part]
    pending = [run(vague())]
    while pending:
        found = pending.pop()
        if isinstance(found, Tensor):
            assert not found.requires_grad
            assert found.device.type == "cpu"
        elif isinstance(found, (tuple, list)):
            pending += found
        elif dataclasses.is_dataclass(found):
            pending += [getattr(found, f.name) for f in dataclasses.fields(found)]


@pytest.mark.parametrize(
    ("short", "full"),
    [
        (partial(evidence, examples=Examples(X)), {"samples": 100}),
        (partial(sandwich, annealing=FEW), {"count": 50, "samples": 1000}),
        (partial(evaluate, data=X), {"samples": 100}),
    ],
    ids=["evidence", "sandwich", "evaluate"],
)
def test_defaults_are_those_documented(short, full):
    assert plain(short(vague())) == pytest.approx(
        plain(short(vague(), **full)), rel=1e-12, nan_ok=True
    )


def test_a_search_takes_300_updates_and_1000_draws_of_its_bound(monkeypatch):
    asked = []

    def search(model, batch, updates, samples):
        asked.append((updates, samples))
        return torch.zeros(3, len(batch))

    monkeypatch.setattr(module_of(gaps), "_search", search)
    gaps(vague(), Examples(X))
    gaps(vague(), Examples(X), updates=7, samples=9)
    assert asked == [(300, 1000), (7, 9)]


@pytest.mark.parametrize("name", ["annealed", "sandwich", "evaluate"])
def test_annealing_is_by_default_unless_it_is_said_how(name, monkeypatch):
    for function in (annealed, evaluate):
        monkeypatch.setattr(module_of(function), "Annealing", lambda: FEW)
    run = {
        "annealed": partial(annealed, vague(), Examples(X)),
        "sandwich": partial(sandwich, vague(), 3, samples=2),
        "evaluate": partial(evaluate, vague(), X, samples=2, ais=2),
    }[name]
    numbers = plain(run())
    assert plain(run(annealing=FEW)) == pytest.approx(numbers, rel=1e-12, nan_ok=True)
    assert plain(run(annealing=Annealing(3, 2, 1))) != pytest.approx(numbers, rel=1e-6, nan_ok=True)


def test_annealing_takes_100_temperatures_16_chains_and_5_leaps():
    assert Annealing() == Annealing(temperatures=100, chains=16, leapfrog=5)


@pytest.mark.parametrize("name", ["evidence", "annealed", "gaps", "sandwich", "evaluate"])
def test_progress_is_told_after_every_few_examples(name, monkeypatch):
    _, run, _ = PARTS[name]
    for module in map(module_of, (evidence, annealed, gaps)):
        if hasattr(module, "EXAMPLES_AT_ONCE"):
            monkeypatch.setattr(module, "EXAMPLES_AT_ONCE", 4)
    told: list[tuple[int, int]] = []
    run(vague(), progress=lambda *step: told.append(step))
    assert told == ([(3, 6), (6, 6)] if name == "sandwich" else [(4, 6), (6, 6)])


def data_of(*counts: int) -> Data:
    """Splits of so many examples, each with draws of its own."""
    parts = [Examples(REFERENCE.simulate(n, seed=i).x) for i, n in enumerate(counts)]
    schema = Schema((Field("x", "real", (4,), None),), (4,), precision="float64")
    return Data(schema, *parts, source="planted")


def asked_of(monkeypatch, name: str) -> list[tuple[tuple[Any, ...], dict[str, Any]]]:
    """Calls of a part of `evaluate`, recorded, and made."""
    module, calls = module_of(evaluate), []
    made = getattr(module, name)

    def recorded(*arguments: Any, **settings: Any) -> Any:
        calls.append((arguments, settings))
        return made(*arguments, **settings)

    monkeypatch.setattr(module, name, recorded)
    return calls


def test_an_evaluation_hands_its_settings_to_every_part(monkeypatch):
    calls = {
        name: asked_of(monkeypatch, name)
        for name in ("evidence", "information", "annealed", "search_gaps", "sandwich")
    }
    model, data, stages = vague(), data_of(30, 5, 8), []

    def progress(done: int, of: int) -> None: ...

    stated = evaluate(
        model, data, samples=12, ais=3, gaps=2, simulated=2, annealing=FEW, seed=3,
        progress=progress, stage=stages.append,
    )  # fmt: skip
    assert stages == [
        "bounds on log p(x)", "training examples", "annealed importance sampling",
        "optimising q(z|x)", "simulated examples",
    ]  # fmt: skip
    ((_, test, draws), settings), *others = calls["evidence"]
    assert (test.x.equal(data.test.x), draws) == (True, 12)
    assert settings == {"seed": 3, "progress": progress}
    (((_, train, draws), settings), ((_, some, plainly), again)) = others
    assert (len(train), draws, settings) == (30, 10, {"seed": 3})  # ten draws of training examples
    assert (len(some), plainly, again) == (3, 12, {"seed": 3})
    (((asked, mixed), settings),) = calls["information"]
    assert (asked is model, mixed is test, settings) == (True, True, {"seed": 3})
    (((asked, ways, how), settings),) = calls["annealed"]
    assert (asked is model, ways is some, how) == (True, True, FEW)
    assert settings == {"seed": 3, "progress": progress}
    (((asked, searched), settings),) = calls["search_gaps"]
    assert (asked is model, len(searched)) == (True, 2)
    assert settings == {"samples": 12, "seed": 3, "progress": progress}
    ((arguments, settings),) = calls["sandwich"]
    assert arguments == (model, 2, FEW)
    assert settings == {"samples": 12, "seed": 3, "progress": progress}
    # and what comes of them
    assert (stated.tightened.examples, stated.gaps.examples, stated.simulated.examples) == (3, 2, 2)
    assert (stated.tightened.temperatures, stated.tightened.chains) == (2, 2)
    tight, plainly = stated.tightened, evidence(model, some, 12, seed=3).log_likelihood
    ways = annealed(model, some, FEW, seed=3)
    assert tight.importance_weighted.mean == pytest.approx(float(plainly.mean()))
    assert tight.annealed.mean == pytest.approx(float(ways.bound.mean()))
    assert tight.annealed.draw_error == pytest.approx(
        float(ways.draw_variance.sum().sqrt()) / 3
    )  # of a mean of three
    assert tight.gain.mean == pytest.approx(float((ways.bound - plainly).mean()))
    assert tight.gain.standard_error == pytest.approx(
        float((ways.bound - plainly).std()) / math.sqrt(3)
    )
    assert tight.acceptance == pytest.approx(float(ways.acceptance.mean()))


def test_the_gap_to_the_training_examples_is_a_difference_of_means():
    stated = evaluate(vague(), data_of(30, 5, 8), samples=4)
    seen = evidence(vague(), data_of(30, 5, 8).train, 4).elbo
    found = stated.generalisation
    assert found.examples == 30
    assert found.elbo.mean == pytest.approx(float(seen.mean()))
    assert found.gap.mean == pytest.approx(float(seen.mean()) - stated.elbo.mean)
    error = math.hypot(float(seen.std()) / math.sqrt(30), stated.elbo.standard_error)
    assert found.gap.standard_error == pytest.approx(error)
    alone = evaluate(vague(), data_of(30, 5, 1), samples=4)  # one example has no standard error
    assert alone.generalisation.gap.standard_error is None
    assert alone.information is None
    assert evaluate(vague(), data_of(30, 5, 2), samples=4).information.examples == 2


def test_training_examples_have_none_to_be_compared_with():
    stages: list[str] = []
    stated = evaluate(vague(), data_of(30, 5, 8), split="train", samples=2, stage=stages.append)
    assert (stated.split, stated.examples, stated.generalisation) == ("train", 30, None)
    assert stages == ["bounds on log p(x)"]
    assert evaluate(vague(), X, samples=2).generalisation is None


@pytest.mark.parametrize(
    ("held_out", "train", "most", "taken"),
    [(3, 520, 5000, 500), (510, 520, 5000, 510), (510, 520, 505, 505), (3, 20, 5000, 20)],
)
def test_as_many_training_examples_are_taken_as_say_enough(
    held_out, train, most, taken, monkeypatch
):
    monkeypatch.setattr(module_of(evaluate), "TRAIN_EXAMPLES", most)
    stated = evaluate(vague(), data_of(train, 1, held_out), samples=1)
    assert stated.generalisation.examples == taken


def test_examples_are_chosen_by_the_seed_in_their_order_and_once():
    chosen, numbered = module_of(evaluate).chosen, Examples(torch.arange(50.0).unsqueeze(-1))
    some = chosen(numbered, 10, 4).x.flatten().tolist()
    assert some == sorted(set(some))
    assert len(some) == 10
    assert some != list(range(10))
    assert chosen(numbered, 10, 4).x.flatten().tolist() == some
    assert chosen(numbered, 10, 5).x.flatten().tolist() != some
    with seeded(4, stream="choice"):
        assert some == torch.randperm(50)[:10].sort().values.tolist()
    assert chosen(numbered, 50, 4) is numbered
    assert chosen(numbered, 51, 4) is numbered
    assert len(chosen(numbered, 49, 4)) == 49


def test_a_statement_has_only_what_was_asked_for():
    stated = evaluate(vague(), X, samples=2)
    assert (stated.data, stated.split) == ("data", "all")
    for name in ("generalisation", "tightened", "gaps", "simulated", "quality"):
        assert getattr(stated, name) is None
        assert Evaluation.__dataclass_fields__[name].default is None
    assert stated.information.examples == 6
    assert evaluate(vague(), Examples(X), name="mine", split="some", samples=2).split == "some"
    assert evaluate(vague(), X.numpy(), name="mine", samples=2).data == "mine"


@pytest.mark.parametrize(
    ("what", "least"), [("ais", 1), ("gaps", 1), ("simulated", 2), ("quality", 50)]
)
@pytest.mark.parametrize("wrong", [-1, 1.5, True, "2"])
def test_impossible_counts_are_named_before_anything_is_done(what, least, wrong):
    words = f"^{what} must be 0 or a whole number of at least {least}, got {wrong!r}$"
    with pytest.raises(SettingError, match=words):
        evaluate(nn.Linear(1, 1), X, **{what: wrong})
    if least > 1:
        with pytest.raises(SettingError, match=f"^{what} must be 0 or"):
            evaluate(nn.Linear(1, 1), X, **{what: least - 1})
