"""Where cells of levels lie and how far they spread."""

import numpy as np
import pytest
import torch

from lowerbound.data import read
from lowerbound.data.centre import BLOCK, MOST_APART, Centre
from lowerbound.data.examples import identity


def centre_of(values, *, named=False, parts=1):
    centre = Centre(values.shape[1:], named=named)
    for some in np.array_split(values, parts):
        centre.add(some)
    return centre


def test_it_is_the_mean_of_each_cell_and_one_spread_about_it_for_all():
    values = np.random.default_rng(0).integers(0, 256, (BLOCK // 20 + 77, 1, 4, 5)).astype(np.uint8)
    values[:, :, 0] = 200  # cells that never vary
    centre = centre_of(values)
    location = values.reshape(len(values), -1).mean(axis=0)
    assert centre.found()[0] == pytest.approx(location, rel=1e-6)
    apart = values.reshape(len(values), -1) - location
    assert centre.found()[1] == pytest.approx((np.sqrt(np.square(apart).mean()),), rel=1e-6)


@pytest.mark.parametrize("high", [2, 256, 65536])
def test_it_is_the_same_to_the_bit_in_any_number_of_parts(high, monkeypatch):
    monkeypatch.setattr("lowerbound.data.centre.BLOCK", 1000)
    values = np.random.default_rng(1).integers(0, high, (3000, 7)).astype(np.int32)
    whole, parts = centre_of(values), centre_of(values, parts=11)
    assert whole.found() == parts.found()


def test_of_very_many_cells_one_number_is_kept():
    values = np.random.default_rng(2).integers(0, 2, (3, MOST_APART + 1))
    centre = centre_of(values)
    assert centre.found()[0] == pytest.approx((values.mean(),), rel=1e-6)
    assert centre.found()[1] == pytest.approx((values.std(),), rel=1e-6)
    columns = centre_of(values, named=True)  # each column has its own field
    assert len(columns.found()[0]) == len(columns.found()[1]) == MOST_APART + 1


def test_cells_that_never_vary_have_the_unit_one():
    assert centre_of(np.full((5, 3), 7)).found()[1] == (1.0,)


def test_data_of_levels_is_measured_on_its_training_split_only():
    bits = (np.random.default_rng(3).random((400, 6)) < 0.2).astype(np.uint8)
    data = read(bits)
    train = data.train.load().x.double()
    location, unit = data.schema.mean, data.schema.scale
    assert location is not None and unit is not None
    torch.testing.assert_close(location.double(), train.mean(dim=0), rtol=1e-6, atol=1e-7)
    spread = (train - train.mean(dim=0)).square().mean().sqrt()
    torch.testing.assert_close(unit.double(), spread.reshape(1), rtol=1e-6, atol=0)
    assert not np.allclose(location, bits.mean(axis=0), rtol=1e-3)


@pytest.mark.parametrize("white", [255, 1.0])
def test_bits_that_are_drawn_have_the_mean_of_what_they_are_drawn_from(white):
    grey = np.random.default_rng(6).random((300, 5, 4)) * [[[0, 0.1, 0.5, 1]]]
    grey = (grey * 255).astype(np.uint8) if white == 255 else grey
    data = read(grey, binarize="dynamic")
    train = data.train.load().grey
    assert train is not None and data.schema.mean is not None and data.schema.scale is not None
    chance = train.levels.double().mean(dim=0) / train.white
    torch.testing.assert_close(data.schema.mean.double(), chance, rtol=1e-6, atol=1e-7)
    spread = (chance * (1 - chance)).mean().sqrt()
    torch.testing.assert_close(data.schema.scale.double().squeeze(), spread, rtol=1e-6, atol=0)


def test_named_columns_of_bits_have_one_unit():
    bits = np.random.default_rng(4).random((400, 8)) < np.linspace(0.1, 0.5, 8)
    schema = read({f"c{i}": bits[:, i].astype(int) for i in range(8)}).schema
    assert schema.is_table and schema.kind == "binary"
    assert schema.scale is not None and schema.scale.shape == (8,)
    assert schema.scale[0] == schema.scale[1]


def test_what_tells_data_apart_leaves_out_measures_of_levels_and_keeps_those_of_reals():
    # runs from before levels were measured keep the fingerprint of their data
    generator = np.random.default_rng(5)
    assert b'"mean"' not in identity(read(generator.integers(0, 2, (100, 9))).schema)
    assert b'"mean"' in identity(read(generator.normal(size=(100, 3))).schema)
