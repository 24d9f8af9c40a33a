"""Where cells of levels lie and how far they spread."""

import numpy as np
import pytest
import torch

from lowerbound.data import read
from lowerbound.data.dataset import identity
from lowerbound.data.measure import MOST_APART, Levels, Numbers


def centre_of(values, *, named=False, parts=1, observed=None):
    centre = Levels(values.shape[1:], apart=named or None)
    for i, some in enumerate(np.array_split(values, parts)):
        centre.add(some, None if observed is None else np.array_split(observed, parts)[i])
    return centre


def test_it_is_the_mean_of_each_cell_and_one_spread_about_it_for_all():
    values = np.random.default_rng(0).integers(0, 256, (5_077, 1, 4, 5)).astype(np.uint8)
    values[:, :, 0] = 200  # cells that never vary
    centre = centre_of(values)
    location = values.reshape(len(values), -1).mean(axis=0)
    assert centre.found()[0] == pytest.approx(location, rel=1e-6)
    apart = values.reshape(len(values), -1) - location
    assert centre.found()[1] == pytest.approx((np.sqrt(np.square(apart).mean()),), rel=1e-6)


@pytest.mark.parametrize("high", [2, 256, 65536])
def test_it_is_the_same_to_the_bit_in_any_number_of_parts(high):
    values = np.random.default_rng(1).integers(0, high, (3000, 7)).astype(np.int32)
    whole, parts = centre_of(values), centre_of(values, parts=11)
    assert whole.found() == parts.found()


def test_of_very_many_cells_one_number_is_kept():
    values = np.random.default_rng(2).integers(0, 2, (3, MOST_APART + 1))
    centre = centre_of(values)
    assert centre.found()[0] == pytest.approx((values.mean(),), rel=1e-6)
    assert centre.found()[1] == pytest.approx((values.std(),), rel=1e-6)
    columns = centre_of(values, named=True)  # each column has its own field
    assert len(columns.found()[0]) == MOST_APART + 1


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


@pytest.mark.parametrize("parts", [1, 7])
def test_unknown_cells_have_no_part_in_levels(parts):
    generator = np.random.default_rng(7)
    values, known = generator.integers(0, 9, (300, 3)), generator.random((300, 3)) < 0.7
    values[~known] = 0
    mean, (scale,) = centre_of(values, parts=parts, observed=known).found()
    wanted = [values[known[:, j], j] for j in range(3)]
    assert mean == pytest.approx([column.mean() for column in wanted], rel=1e-6)
    apart = np.concatenate([column - column.mean() for column in wanted])
    assert scale == pytest.approx(np.sqrt(np.square(apart).mean()), rel=1e-6)


@pytest.mark.parametrize("shape", [(3,), (8, 3), (3, 4, 5)])
@pytest.mark.parametrize("parts", [1, 11])
def test_numbers_are_measured_for_each_column_or_channel(shape, parts):
    generator = np.random.default_rng(8)
    unit = np.array([1.0, 50.0, 1e6]).reshape((3, 1, 1) if len(shape) == 3 else 3)
    values = (generator.normal(size=(400, *shape)) + 7) * unit
    known = generator.random(values.shape) < 0.8
    values[~known] = np.nan
    pool = {1: (), 2: (0,), 3: (1, 2)}[len(shape)]
    found = Numbers(shape, pool)
    for some, mask in zip(np.array_split(values, parts), np.array_split(known, parts), strict=True):
        found.add(np.where(mask, some, 1e300), mask)
    axes = tuple(axis + 1 for axis in (-1, *pool))
    mean, scale = found.found("x")
    assert mean == pytest.approx(np.nanmean(values, axis=axes), rel=1e-12)
    assert scale == pytest.approx(np.nanstd(values, axis=axes), rel=1e-12)
    assert found.pooled().mean.size == 3  # so different channels stay apart


def test_like_channels_of_images_have_one_measure():
    values = np.random.default_rng(9).random((50, 3, 4, 5)) * [[[[1.0]], [[0.9]], [[1.1]]]]
    found = Numbers((3, 4, 5), (1, 2))
    found.add(values, None)
    mean, scale = found.pooled().found("x")
    assert (mean, scale) == (pytest.approx([values.mean()]), pytest.approx([values.std()]))
    told = read(values.astype(np.float32)).schema
    assert told.mean is not None and told.mean.shape == (1, 1, 1)
    apart = read((values * [[[[1.0]], [[30.0]], [[1.0]]]]).astype(np.float32)).schema
    assert apart.mean is not None and apart.mean.shape == (3, 1, 1)


def test_sensors_of_windows_are_measured_each_for_itself():
    windows = np.random.default_rng(10).normal(size=(200, 24, 5)) * [1, 9, 80, 700, 6e3]
    schema = read(windows).schema
    assert schema.shape == (24, 5) and schema.scale is not None
    assert schema.scale.shape == (1, 5)
    assert torch.allclose(
        schema.scale[0], torch.tensor([1, 9, 80, 700, 6e3]).to(schema.scale), rtol=0.05
    )


def test_the_columns_of_a_mixed_table_are_measured_by_their_kind():
    generator = np.random.default_rng(11)
    table = {
        "a": generator.normal(5, 2, 400),
        "word": generator.choice(["x", "y", "z"], 400).tolist(),
        "bit": (generator.random(400) < 0.2).astype(int),
        "count": generator.poisson(7, 400),
        "gaps": [None if i % 3 else 100.0 + i for i in range(400)],
    }
    data = read(table)
    train, mask = data.train.x, data.train.observed
    assert mask is not None and data.schema.mean is not None and data.schema.scale is not None
    for j, name in enumerate(table):
        own = train[mask[:, j], j]
        wanted = (0.0, 1.0) if name == "word" else (own.mean(), own.std(correction=0))
        assert float(data.schema.mean[j]) == pytest.approx(float(wanted[0]), rel=1e-6)
        assert float(data.schema.scale[j]) == pytest.approx(float(wanted[1]), rel=1e-6)


def test_what_tells_data_apart_leaves_out_measures():
    generator = np.random.default_rng(5)
    for x in (generator.integers(0, 2, (100, 9)), generator.normal(size=(100, 3))):
        assert b'"mean"' not in identity(read(x).schema)
