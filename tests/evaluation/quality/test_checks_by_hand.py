"""What can be judged, and what is refused with the remedy: every edge of it."""

import math

import pytest
import torch

from lowerbound.data import Examples, Field, Schema
from lowerbound.errors import DataError, SettingError, ShapeError, SupportError, UnknownNameError
from lowerbound.evaluation.quality import checks

REAL = Schema((Field("x", "real", (2,)),), (2,))
LEVELS = Schema((Field("x", "ordinal", (2,), 5),), (2,))


@pytest.mark.parametrize("seed", [0, 1, 2**63 - 1])
def test_a_seed_in_range_is_taken_as_it_is(seed):
    assert checks.checked_seed(seed) == seed


def test_a_seed_that_is_none_is_refused_and_none_is_a_fresh_one(monkeypatch):
    monkeypatch.setattr(checks, "fresh_seed", lambda: 77)
    assert checks.checked_seed(None) == 77
    for wrong in (-1, 2**63, True, 1.0, "1"):
        with pytest.raises(SettingError, match=r"^seed must be a whole number in \[0, 2\^63\)"):
            checks.checked_seed(wrong)


def test_samples_are_of_the_datas_shape_and_finite():
    x = torch.ones(3, 2, requires_grad=True)
    found = checks.checked_samples(x, REAL, "draws")
    assert torch.equal(found, x)
    assert not found.requires_grad
    assert checks.checked_samples([[0.5, 1.0]], REAL, "means").tolist() == [[0.5, 1.0]]
    for wrong in (torch.zeros(3, 1), torch.zeros(3), torch.zeros(()), torch.zeros(3, 2, 1)):
        with pytest.raises(ShapeError) as refused:
            checks.checked_samples(wrong, REAL, "draws")
        assert str(refused.value) == (
            f"samples must be (N, 2) as the data are, got {tuple(wrong.shape)}; generate them "
            "from a model of these data"
        )
    image = Schema((Field("image", "real", (1, 2, 3)),), (1, 2, 3))
    with pytest.raises(ShapeError, match=r"must be \(N, 1, 2, 3\) as"):
        checks.checked_samples(torch.zeros(3, 2), image, "draws")
    with pytest.raises(DataError, match="must be finite"):
        checks.checked_samples(torch.tensor([[0.0, math.inf]]), REAL, "draws")
    with pytest.raises(UnknownNameError) as unknown:
        checks.checked_samples(x, REAL, "drawn")
    expected = UnknownNameError("kind of samples", "drawn", ("draws", "means"))
    assert str(unknown.value) == str(expected)


def test_draws_are_levels_and_means_lie_among_them():
    for kind in ("draws", "means"):
        for edge in ([0.0, 4.0], [4.0, 4.0], [0.0, 0.0]):
            x = torch.tensor([edge])
            assert torch.equal(checks.checked_samples(x, LEVELS, kind), x)
        for beyond in ([-0.5, 1.0], [4.5, 1.0], [5.0, 1.0], [-1.0, 9.0]):
            with pytest.raises(SupportError) as refused:
                checks.checked_samples(torch.tensor([beyond]), LEVELS, kind)
            assert f"range from 0 to 4, got {min(beyond):g} to {max(beyond):g};" in str(
                refused.value
            )
        assert len(checks.checked_samples(torch.zeros(0, 2), LEVELS, kind)) == 0
    between = torch.tensor([[0.5, 1.0]])
    assert torch.equal(checks.checked_samples(between, LEVELS, "means"), between)
    with pytest.raises(SupportError, match="are whole levels, got values between them"):
        checks.checked_samples(between, LEVELS, "draws")


def test_examples_are_whole_and_of_the_datas_shape():
    x = torch.zeros(3, 2)
    checks.check_whole("training", Examples(x), REAL)
    checks.check_whole("training", Examples(x, x == 0), REAL)
    with pytest.raises(DataError, match="training examples have missing cells"):
        checks.check_whole("training", Examples(x, torch.eye(3, 2) == 0), REAL)
    with pytest.raises(ShapeError, match=r"other examples are \(3,\), the schema says \(2,\)"):
        checks.check_whole("other", Examples(torch.zeros(3, 3)), REAL)


def test_half_of_training_is_left_and_too_few_of_anything_are_refused():
    assert checks.number_compared(50, 100, 50, 50) == 50
    assert checks.number_compared(80, 161, 90, 2000) == 80
    assert checks.number_compared(90, 161, 90, 2000) == 80
    assert checks.number_compared(90, 900, 70, 2000) == 70
    assert checks.number_compared(90, 900, 90, 60) == 60
    for counts, words in (
        ((49, 99, 49), "at least 50 samples, got 49; generate more"),
        ((50, 99, 49), "at least 100 training examples, got 99; it needs larger data"),
        ((50, 100, 49), "at least 50 held-out examples, got 49; hold more out"),
    ):
        with pytest.raises(DataError) as refused:
            checks.number_compared(*counts, 50)
        assert str(refused.value) == f"sample quality needs {words}"
    assert (checks.FEWEST, checks.MOST, checks.LIMIT) == (50, 2000, 5000)


def test_samples_are_stored_as_the_data_are():
    x = torch.tensor([[0.4, 3.6]])
    assert checks.as_stored(x, LEVELS).tolist() == [[0, 4]]
    assert checks.as_stored(x, LEVELS).dtype == torch.uint8
    assert torch.equal(checks.as_stored(x.double(), REAL), x)
    assert checks.as_stored(x.double(), REAL).dtype == torch.float32
