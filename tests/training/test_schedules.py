"""Schedules and averages against calculations by hand."""

import math

import pytest
import torch
from torch import nn

from lowerbound.errors import SettingError
from lowerbound.training import Constant, Stages, Training, WarmUp, WarmUpCosine
from lowerbound.training.average import WeightAverage


def test_warm_up_is_a_straight_line_to_one():
    schedule = WarmUp(0.2)
    assert [schedule(t) for t in (0.0, 0.05, 0.1, 0.2, 0.7, 1.0)] == [0, 0.25, 0.5, 1, 1, 1]
    assert WarmUp(0.0)(0.0) == 1.0
    assert Constant()(0.0) == 1.0


def test_the_cosine_goes_from_one_to_its_floor():
    schedule = WarmUpCosine(0.1, 0.05)
    assert schedule(0.0) == 0.0
    assert schedule(0.05) == pytest.approx(0.5)
    assert schedule(0.1) == pytest.approx(1.0)
    assert schedule(0.55) == pytest.approx(0.05 + 0.95 * 0.5)
    assert schedule(1.0) == pytest.approx(0.05)
    expected = 0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * (0.3 - 0.1) / 0.9))
    assert schedule(0.3) == pytest.approx(expected)
    assert WarmUpCosine(1.0, 0.5)(1.0) == pytest.approx(0.5)
    assert WarmUpCosine(0.0, 1.0)(0.6) == pytest.approx(1.0)
    values = [schedule(t / 100) for t in range(10, 101)]
    assert values == sorted(values, reverse=True)


def test_stages_are_those_of_the_paper():
    # stage i lasts 3^i of 3,280 epochs at 0.001 * 10^(-i/7)
    schedule = Stages(over=0.0, floor=0.1)
    begins = 0
    for stage in range(8):
        expected = 10 ** (-stage / 7)
        for epoch in (begins, begins + 3**stage - 1):
            assert schedule(epoch / 3280) == pytest.approx(expected)
            assert schedule((epoch + 0.999) / 3280) == pytest.approx(expected)
        begins += 3**stage
    assert begins == 3280
    assert schedule(1.0) == pytest.approx(0.1)
    training = Training(decay="stages", warm_up=0.0, final_rate=0.1)
    assert training.schedule(0.5) == schedule(0.5)
    late = Stages(over=0.5, floor=0.1)
    assert late(0.25) == pytest.approx(0.5)
    assert late(0.5 + 0.5 * 4 / 3280) == pytest.approx(10 ** (-2 / 7))
    assert Stages(over=1.0)(1.0) == pytest.approx(0.1)


@pytest.mark.parametrize("build", [WarmUp, WarmUpCosine, lambda v: WarmUpCosine(0.1, v)])
@pytest.mark.parametrize("value", [-0.1, 1.1, math.nan])
def test_fractions_outside_of_zero_to_one_are_refused(build, value):
    with pytest.raises(SettingError, match="fraction"):
        build(value)


@pytest.mark.parametrize(
    "settings",
    [
        {"epochs": 0}, {"epochs": 1.5}, {"epochs": True}, {"batch_size": 0}, {"patience": 0},
        {"learning_rate": 0.0}, {"learning_rate": math.nan}, {"minutes": -1.0}, {"clip": 0.0},
        {"weight_decay": -0.1}, {"betas": (0.9, 1.0)}, {"average": 1.0}, {"warm_up": 2.0},
        {"final_rate": -1.0}, {"epsilon": 0.0}, {"decay": "linear"}, {"keep": "first"},
        {"decay": "stages", "final_rate": 0.0},
    ],
)  # fmt: skip
def test_impossible_settings_are_refused(settings):
    with pytest.raises(SettingError):
        Training(**settings)


def planted(decay: float | None) -> tuple[nn.Linear, WeightAverage]:
    model = nn.Linear(1, 1, bias=False).double()
    with torch.no_grad():
        model.weight.fill_(1.0)
    return model, WeightAverage(list(model.parameters()), decay)


@pytest.mark.parametrize("decay", [0.0, 0.3, 0.999])
def test_the_average_is_the_recursion_by_hand(decay):
    model, average = planted(decay)
    expected, values = 1.0, [2.0, -1.0, 0.5, 7.0]
    for step, value in enumerate(values, start=1):
        with torch.no_grad():
            model.weight.fill_(value)
        average.update()
        d = min(decay, (1 + step) / (10 + step))
        expected = d * expected + (1 - d) * value
    with average.applied():
        assert model.weight.item() == pytest.approx(expected, rel=1e-12)
    assert model.weight.item() == 7.0


def test_the_weights_come_back_even_after_an_error():
    model, average = planted(0.9)
    with torch.no_grad():
        model.weight.fill_(3.0)
    average.update()
    with pytest.raises(RuntimeError), average.applied():
        raise RuntimeError
    assert model.weight.item() == 3.0
    with average.applied():
        assert model.weight.item() != 3.0


def test_without_a_decay_the_average_is_the_weights_themselves():
    model, average = planted(None)
    with torch.no_grad():
        model.weight.fill_(3.0)
    average.update()
    with average.applied():
        assert model.weight.item() == 3.0


def test_an_average_goes_on_from_its_state():
    model, average = planted(0.9)
    other = WeightAverage(list(model.parameters()), 0.9)
    for value in (2.0, 4.0):
        with torch.no_grad():
            model.weight.fill_(value)
        average.update()
    other.restore(average.state())
    for one in (average, other):
        one.update()
    with average.applied():
        expected = model.weight.item()
    with other.applied():
        assert model.weight.item() == expected
