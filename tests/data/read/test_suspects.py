"""Codes for missing cells and extreme rows are named; ordinary data are left in peace."""

import numpy as np
import pytest

from lowerbound.data.raw import Raw
from lowerbound.data.read.source import open_source
from lowerbound.data.reading import reading

rng = np.random.default_rng(0)
X = rng.normal(size=(1000, 2)) @ rng.normal(size=(2, 5)) + 0.1 * rng.normal(size=(1000, 5))
NAMES = "abcde"


def opened(values: np.ndarray) -> Raw:
    return open_source(dict(zip(NAMES, values.T, strict=False)))


def said(raw: Raw) -> str:
    return "; ".join(str(note) for note in raw.notes)


def test_a_code_is_named_with_its_column_and_the_option():
    x = X.copy()
    x[rng.choice(1000, 20, False), 1] = 9999
    words = said(opened(x))
    assert "1 column with what may be a code for missing cells" in words
    assert "--gaps b=9999 (gaps={'b': [9999]})" in words
    assert "b=9999 in 20" in words
    assert "far outside" not in words


@pytest.mark.parametrize("code", [-99, -999, 9999, 99999, -9999.0, 88888, 1e5])
def test_the_usual_codes_are_found(code: float):
    x = X.copy()
    x[:5, 0] = code
    assert f"a={code:g} in 5" in said(opened(x))


@pytest.mark.parametrize(("rows", "size"), [(3, 1e6), (1, 1e12)])
def test_extreme_rows_are_named(rows: int, size: float):
    x = X.copy()
    x[10 : 10 + rows] = size * np.sign(rng.normal(size=(rows, 5)))
    words = said(opened(x))
    assert f"{rows} row{'s' * (rows > 1)} far outside" in words
    assert "(11" in words


@pytest.mark.parametrize(
    "draw",
    [
        lambda r: r.normal(size=(500, 4)),
        lambda r: r.standard_t(2, size=(500, 4)),
        lambda r: np.exp(2 * r.normal(size=(500, 4))),
        lambda r: r.poisson(0.3, (500, 4)).astype(float),
        lambda r: r.integers(0, 100, (500, 4)).astype(float),
        lambda r: np.where(r.random((500, 4)) < 0.6, 0, r.gamma(2, 50, (500, 4))),
    ],
)
def test_ordinary_and_heavy_tailed_columns_hold_no_code(draw):
    for seed in range(20):
        raw = opened(draw(np.random.default_rng(seed)))
        assert "code for missing" not in said(raw), seed
        assert "far outside" not in said(raw), seed


def test_a_date_far_before_all_others_is_named_as_it_is_written():
    days = [f"2024-{1 + i % 12:02}-{1 + i % 28:02}" for i in range(200)]
    days[5] = days[50] = days[150] = "1900-01-01"
    table = {"paid": days, "x": rng.normal(size=200)}
    words = said(open_source(table))
    assert "--gaps paid=1900-01-01 (gaps={'paid': ['1900-01-01']}) makes gaps of them" in words
    told = open_source(table, reading(gaps={"paid": ["1900-01-01"]}))
    assert np.isnan(told.values[:, 0]).sum() == 3
    assert "code for missing" not in said(told)
