"""Arrays: what they are taken for, and which are refused."""

import numpy as np
import pytest
import torch

from lowerbound.data import Data, Schema, read
from lowerbound.data.read.axes import arrange, drop_alpha
from lowerbound.errors import DataError, SettingError

rng = np.random.default_rng(0)
GREY = rng.integers(0, 256, (30, 4, 5))


def told(data: Data) -> str:
    return "; ".join(str(note) for note in data.notes)


@pytest.mark.parametrize(
    ("values", "words", "dtype"),
    [
        (GREY.astype(np.uint8), "8-bit images 1x4x5", torch.uint8),
        (GREY.astype(np.uint8)[..., None], "8-bit images 1x4x5", torch.uint8),
        (GREY.astype(np.int64), "8-bit images 1x4x5", torch.uint8),
        (GREY.astype(np.uint8).reshape(30, 20), "8-bit vectors of 20", torch.uint8),
        (GREY % 2, "binary images 1x4x5", torch.uint8),
        ((GREY % 2).astype(bool), "binary images 1x4x5", torch.uint8),
        ((GREY % 2).astype(np.float32), "binary images 1x4x5", torch.uint8),
        ((GREY % 2).reshape(30, 20), "binary vectors of 20", torch.uint8),
        (GREY % 17, "ordinal (17 levels) images 1x4x5", torch.uint8),
        (GREY - 5, "real images 1x4x5", torch.float32),
        (GREY * 9, "real images 1x4x5", torch.float32),
        (rng.normal(size=(30, 4, 5)), "real images 1x4x5", torch.float32),
        (rng.normal(size=(30, 4)), "real vectors of 4", torch.float64),
        (rng.normal(size=(30, 4)).astype(np.float32), "real vectors of 4", torch.float32),
        (rng.normal(size=(30, 4)).astype(np.float16), "real vectors of 4", torch.float32),
        (rng.normal(size=30), "real vectors of 1", torch.float64),
        (rng.normal(size=(30, 4)).astype(">f8"), "real vectors of 4", torch.float64),
        (rng.integers(0, 9, (30, 4)), "count vectors of 4", torch.int32),
        (rng.integers(-9, 9, (30, 4)), "real vectors of 4", torch.float64),
        (rng.integers(0, 9, (30, 6, 5)), "ordinal (9 levels) images 1x6x5", torch.uint8),
    ],
)
def test_the_kind_follows_from_the_values(values: np.ndarray, words: str, dtype: torch.dtype):
    data = read(values)
    assert data.schema.describe() == words
    assert data.schema.dtype == data.train.x.dtype == dtype
    assert data.train.x.shape[1:] == data.schema.shape
    assert data.schema.is_discrete == (data.schema.kind != "real")


def test_tensors_and_lists_are_read_like_arrays():
    x = rng.normal(size=(20, 2))
    prints = {read(source).fingerprint for source in (x, torch.tensor(x), x.tolist())}
    assert len(prints) == 1
    assert read(torch.tensor(x).requires_grad_()).schema.dtype == torch.float64
    assert read(torch.tensor(x).bfloat16()).schema.dtype == torch.float32


def test_the_data_do_not_change_when_the_array_does_afterwards():
    x = rng.normal(size=(20, 2))
    data = read(x)
    before = data.train.x.clone()
    x[:] = 0
    assert (data.train.x == before).all()


def test_black_and_white_images_are_binary_and_told():
    data = read((GREY % 2 * 255).astype(np.uint8))
    assert data.schema.kind == "binary"
    assert set(data.train.x.unique().tolist()) == {0, 1}
    assert "0 or 255" in told(data)


def test_channels_are_found_on_either_side():
    x = rng.integers(0, 256, (20, 5, 6, 3)).astype(np.uint8)
    last, first = read(x), read(x.transpose(0, 3, 1, 2))
    assert last.schema.shape == first.schema.shape == (3, 5, 6)
    assert last.fingerprint == first.fingerprint


def test_ambiguous_channels_are_told_and_none_at_all_is_refused():
    assert "ambiguous" in told(read(rng.normal(size=(20, 3, 6, 3))))
    assert read(rng.normal(size=(20, 2, 6, 6))).schema.shape == (2, 6, 6)
    with pytest.raises(DataError, match="volumes are not modelled"):
        read(rng.normal(size=(20, 30, 30, 30)))


def test_alpha_is_composited_on_white_with_exact_rounding():
    x = rng.integers(0, 256, (400, 2, 2, 4)).astype(np.uint8)
    x[0, 0, 0] = (10, 20, 30, 255)
    x[0, 0, 1] = (10, 20, 30, 0)
    x[..., 3][x[..., 3] > 99] = 255  # most of it is opaque
    mixed, notes = drop_alpha(arrange(x, "hwc"), None)
    assert mixed[0, :, 0, 0].tolist() == [10, 20, 30]
    assert mixed[0, :, 0, 1].tolist() == [255, 255, 255]
    alpha = x[..., 3:] / 255
    exact = (x[..., :3] * alpha + 255 * (1 - alpha)).transpose(0, 3, 1, 2)
    assert np.abs(mixed - exact).max() <= 0.5 + 1e-9
    assert "400 images composited on white" in str(notes[0])


def test_floats_of_255_levels_stay_real_and_advice_is_given():
    data = read((GREY / 255).astype(np.float32))
    assert data.schema.kind == "real"
    assert "astype('uint8')" in told(data)
    assert "whole numbers from 0 to 255" in told(read(GREY.astype(float)))
    assert "uint8" not in told(read(rng.random((30, 4, 4))))


def test_whole_number_columns_are_named():
    x = rng.normal(size=(30, 3))
    x[:, 1] = rng.integers(0, 2, 30)
    x[:, 2] = rng.integers(0, 9, 30)
    words = told(read(x))
    assert "of only 0 and 1, modelled as real" in words
    assert "column 2" in words
    assert "of only whole numbers" in words
    assert "column 3" in words


def test_a_constant_column_of_reals_is_left_out_and_comes_back():
    x = rng.normal(size=(30, 3))
    x[:, 1] = 2.5
    data = read(x)
    assert data.schema.shape == (2,)
    assert data.schema.constants[0].position == 1
    assert "column 2 = 2.5" in told(data)
    back = data.schema.unpack(data.train.x.numpy())
    assert {tuple(row) for row in back} < {tuple(row) for row in x}


def test_discrete_vectors_keep_their_constant_cells():
    x = rng.integers(0, 256, (30, 9)).astype(np.uint8)
    x[:, 0] = 0
    assert read(x).schema.shape == (9,)


def test_a_column_that_numbers_the_rows_is_told():
    x = np.column_stack([np.arange(30), rng.normal(size=30)])
    assert "only numbers the rows" in told(read(x))


@pytest.mark.parametrize(
    ("values", "threshold"),
    [
        (GREY.astype(np.uint8), 127.5),
        (GREY % 17, 8.0),
        (rng.random((30, 4, 4)), 0.5),
        (rng.random((30, 4)), 0.5),
    ],
)
def test_binarising_cuts_at_half_and_is_recorded(values: np.ndarray, threshold: float):
    data = read(values, binarize=True)
    assert data.schema.kind == "binary"
    assert data.schema.threshold == threshold
    assert data.schema.binarized
    ones = sum(int(part.x.sum()) for part in (data.train, data.validation, data.test))
    assert ones == int((values > threshold).sum())


def test_binarising_bits_changes_nothing_and_records_nothing():
    assert read(GREY % 2, binarize=True).schema.threshold is None


def test_binarising_reals_outside_the_unit_interval_is_refused_with_a_remedy():
    with pytest.raises(DataError, match=r"in \[0, 1\], got .*scale"):
        read(rng.normal(size=(30, 4)), binarize=True)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (np.zeros((2, 2, 2, 2, 2)), "5 axes"),
        (np.concatenate([rng.normal(size=(20, 2)), [[1.7e308, 0]] * 9]), "too large|distinct"),
        (np.full((20, 4, 4), 1e300) * rng.random((20, 4, 4)), "beyond float32"),
    ],
)
@pytest.mark.filterwarnings("ignore:overflow")
def test_arrays_beyond_measure_are_refused_in_one_line(values: object, words: str):
    with pytest.raises(DataError, match=words) as caught:
        read(values)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_cell_that_is_not_finite_is_a_gap_and_is_counted(bad: float):
    x = rng.normal(size=(20, 3))
    x[4, 2] = x[7, 1] = bad
    data = read(x)
    assert data.schema.describe() == "real vectors of 3, with gaps"
    assert "2 cells" in told(data) and "read as gaps" in told(data)
    parts = (data.train, data.validation, data.test)
    assert sum(int((~part.observed).sum()) for part in parts) == 2
    assert all(torch.isfinite(part.x).all() for part in parts)


def test_masked_cells_are_gaps_and_an_empty_mask_is_none():
    x = np.ma.masked_array(rng.normal(size=(20, 2)), mask=False)
    assert read(x).train.observed is None
    x[0, 0] = np.ma.masked
    data = read(x)
    assert data.schema.missing and "1 cell empty" in told(data)


def test_image_size_is_for_pictures_only():
    with pytest.raises(SettingError, match="picture files"):
        read(GREY, image_size=(2, 2))


def test_an_image_schema_measures_one_number():
    schema: Schema = read(rng.normal(size=(30, 3, 4, 4)) * 2 + 1).schema
    assert schema.mean is not None
    assert schema.scale is not None
    assert schema.mean.shape == schema.scale.shape == (1, 1, 1)
    assert 1.5 < float(schema.scale) < 2.5
