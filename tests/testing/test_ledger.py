"""A ledger keeps what was compared, and costs nothing where none is open."""

import math
import threading

import pytest
import torch

from lowerbound.testing import (
    Ledger,
    assert_close_gradient,
    assert_frequencies,
    assert_mean,
    assert_mean_at_most,
    assert_uniform_ranks,
    check_close,
)
from lowerbound.testing.laws import check_finite, check_shape

DRAWS = torch.randn(10_000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
ONE = torch.ones((), dtype=torch.float64)


def test_an_exact_identity_is_entered_with_its_absolute_error_in_nats():
    with Ledger() as ledger:
        check_close(100 * ONE + 1e-8, 100 * ONE, "log p(x)")
        check_close(ONE, ONE, "a mean", unit="plain")
    assert [entry.name for entry in ledger.entries] == ["log p(x)", "a mean"]
    assert ledger.largest("nats") == pytest.approx(1e-8, rel=1e-4)
    assert ledger.largest("plain") == 0.0


def test_a_statistical_identity_is_entered_in_standard_errors():
    error = DRAWS.std() / 100
    with Ledger() as ledger:
        assert_mean(DRAWS, DRAWS.mean() - 2 * error, resolves=0.1)
        assert_mean_at_most(DRAWS, DRAWS.mean() - 3 * error, resolves=0.1)
        assert_mean_at_most(DRAWS, 1.0, resolves=0.1)
    assert [entry.error for entry in ledger.entries] == pytest.approx([2.0, 3.0, 0.0], abs=1e-5)
    assert {entry.unit for entry in ledger.entries} == {"standard errors"}


@pytest.mark.parametrize(
    ("compare", "names"),
    [
        (lambda: assert_frequencies((DRAWS > 0).long(), ONE.expand(2) / 2, resolves=0.1), 1),
        (lambda: assert_uniform_ranks(torch.arange(32_000) % 16, 15, resolves=0.1), 3),
        (lambda: assert_close_gradient(torch.exp, [DRAWS[:3]]), 1),
        (lambda: check_finite(DRAWS, "draws"), 1),
        (lambda: check_shape(DRAWS, (10_000,), "draws"), 1),
    ],
)
def test_every_comparison_is_entered(compare, names: int):
    with Ledger() as ledger:
        compare()
    assert len(ledger.entries) == names
    compare()
    assert len(ledger.entries) == names


def test_what_fails_is_entered_too_and_nan_is_endlessly_wrong():
    with Ledger() as ledger, pytest.raises(AssertionError):
        check_close(ONE * math.nan, ONE, "log p(x)")
    assert ledger.largest("nats") == math.inf
    with Ledger() as ledger, pytest.raises(AssertionError):
        assert_mean(DRAWS, 0.3, resolves=0.1)
    assert ledger.largest("standard errors") > 20
    with Ledger() as ledger, pytest.raises(AssertionError):
        check_finite(ONE * math.nan, "a number")
    assert ledger.largest("plain") == 1.0


def test_the_innermost_ledger_is_kept_and_the_outer_one_comes_back():
    with Ledger() as outer:
        with Ledger() as inner:
            check_close(ONE, ONE, "inside")
        check_close(ONE, ONE, "outside")
    assert [entry.name for entry in inner.entries] == ["inside"]
    assert [entry.name for entry in outer.entries] == ["outside"]


def test_a_ledger_is_of_its_thread():
    with Ledger() as ledger:
        other = threading.Thread(target=check_close, args=(ONE, ONE, "elsewhere"))
        other.start()
        other.join()
    assert ledger.entries == [] and ledger.largest("nats") is None
