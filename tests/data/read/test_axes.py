"""Arrays: what their axes are taken for, over all examples and said aloud."""

import numpy as np
import pytest
import torch

from lowerbound.data.raw import Raw
from lowerbound.data.read.source import open_source
from lowerbound.data.reading import reading
from lowerbound.errors import DataError, UnknownNameError

rng = np.random.default_rng(0)
SENSORS = np.array([101325, 20, 0.5, 1e-3, 60]) + np.array([800, 5, 0.1, 1e-3, 10]) * rng.normal(
    size=(60, 24, 5)
)


def opened(values: object, **told: object) -> Raw:
    return open_source(values, reading(**told))


def said(raw: Raw) -> str:
    return "; ".join(str(note) for note in raw.notes)


def test_windows_of_sensors_are_a_series_and_said():
    """They were grey images, measured with one mean and one spread for all sensors."""
    raw = opened(SENSORS)
    assert raw.rows.shape == (24, 5)
    assert (raw.values == SENSORS).all()
    assert "series of 24 steps and 5 channels" in said(raw)
    assert "--axes hw" in said(raw)
    assert raw.reading.axes == "tc"


def test_channels_first_of_sensors_are_told_by_their_means():
    raw = opened(SENSORS.transpose(0, 2, 1))
    assert (raw.values == SENSORS).all()
    assert raw.reading.axes == "ct"


def test_standardised_sensors_of_other_spreads_are_a_series():
    raw = opened(rng.normal(size=(60, 24, 3)) * [1, 1, 40])
    assert raw.reading.axes == "tc"


@pytest.mark.parametrize(
    ("axes", "shape"), [("hw", (1, 24, 5)), ("tc", (24, 5)), ("ct", (5, 24)), ("flat", (120,))]
)
def test_the_axes_of_an_array_can_be_told(axes: str, shape: tuple[int, ...]):
    raw = opened(SENSORS, axes=axes)
    assert raw.rows.shape == shape
    assert raw.notes == ()


@pytest.mark.parametrize(
    "values",
    [
        np.stack([rng.random((12, 9)) * np.hanning(9) for _ in range(60)]),
        (rng.random((60, 8, 8)) * np.outer(np.hanning(8), np.hanning(8))).astype(np.float32),
        rng.integers(0, 256, (60, 20, 4)).astype(np.uint8),
        rng.integers(0, 17, (60, 8, 8)),
    ],
)
def test_images_stay_images(values: np.ndarray):
    """Edges that are dark in all images are no channels of a scale of their own."""
    raw = opened(values)
    assert raw.reading.axes == "hw"
    assert raw.rows.shape == (1, *values.shape[1:])


@pytest.mark.parametrize(
    ("shape", "axes"),
    [
        ((20, 5, 6, 3), "hwc"),
        ((20, 3, 5, 6), "chw"),
        ((20, 2, 32, 32), "chw"),
        ((20, 5, 32, 32), "chw"),
        ((20, 32, 32, 5), "hwc"),
        ((20, 3, 6, 3), "hwc"),
        ((20, 1, 9, 9), "chw"),
    ],
)
def test_any_number_of_channels_is_found_on_either_side(shape: tuple[int, ...], axes: str):
    x = rng.integers(0, 256, shape).astype(np.uint8)
    raw = opened(x)
    assert raw.reading.axes == axes
    first = x.transpose(0, 3, 1, 2) if axes == "hwc" else x
    assert (raw.values == first).all()
    usual = min(shape[1], shape[3]) in (1, 3) and shape != (20, 3, 6, 3)
    assert (f"--axes {'chw' if axes == 'hwc' else 'hwc'}" in said(raw)) == (not usual)


@pytest.mark.parametrize("shape", [(30, 16, 16, 16), (30, 24, 32, 32), (9, 2, 8, 8, 8)])
def test_volumes_are_refused_unless_their_slices_are_channels(shape: tuple[int, ...]):
    x = rng.normal(size=shape)
    with pytest.raises(DataError, match=r"axes chw|axes flat") as caught:
        opened(x)
    assert "\n" not in str(caught.value)
    if x.ndim == 4:
        assert opened(x, axes="chw").rows.shape == shape[1:]
    assert opened(x, axes="flat").rows.shape == (int(np.prod(shape[1:])),)


def test_axes_that_do_not_fit_are_refused():
    with pytest.raises(DataError, match=r"axes 'chw'.*do not fit"):
        opened(SENSORS, axes="chw")
    with pytest.raises(DataError, match="need more axes"):
        opened(SENSORS[:, 0], axes="tc")


# ------------------------------------------------------------------------------ a fourth channel


def test_infrared_is_not_taken_for_transparency():
    x = rng.integers(0, 256, (40, 4, 8, 8)).astype(np.uint8)
    raw = opened(x)
    assert (raw.values == x).all()
    assert "the fourth is no transparency; --channels 3" in said(raw)
    assert opened(x, channels=3).rows.shape == (3, 8, 8)


def test_alpha_is_composited_on_white_with_exact_rounding():
    x = rng.integers(0, 256, (400, 2, 2, 4)).astype(np.uint8)
    x[..., 3] = np.where(rng.random((400, 2, 2)) < 0.7, 255, x[..., 3])
    x[0, 0, 0] = (10, 20, 30, 255)
    x[0, 0, 1] = (10, 20, 30, 0)
    raw = opened(x)
    assert raw.values[0, :, 0, 0].tolist() == [10, 20, 30]
    assert raw.values[0, :, 0, 1].tolist() == [255, 255, 255]
    alpha = x[..., 3:] / 255
    exact = (x[..., :3] * alpha + 255 * (1 - alpha)).transpose(0, 3, 1, 2)
    assert np.abs(raw.values - exact).max() <= 0.5 + 1e-9
    assert "400 images composited on white" in said(raw)
    assert opened(x, channels=4).rows.shape == (4, 2, 2)


def test_alpha_of_floats_is_composited_too():
    x = rng.random((40, 5, 5, 4))
    x[..., 3] = 1
    x[0, 0, 0, 3] = 0
    raw = opened(x)
    assert raw.rows.shape == (3, 5, 5)
    assert (raw.values[0, :, 0, 0] == 1).all()
    assert (raw.values[1:] == x[1:, ..., :3].transpose(0, 3, 1, 2)).all()


# ------------------------------------------------------------------------------ cells


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (np.array([None] * 20), "objects"),
        ([[1, 2], [3]], "ragged"),
        (np.ones((20, 2), complex), "complex"),
        (np.array([["a", "b"]] * 20), "text"),
        (np.zeros(20, "f4,i4"), "records"),
        (np.zeros(20, "M8[s]"), "dates"),
        (np.float64(3), "one number"),
        (np.empty((0, 3)), "no examples"),
        (np.empty((3, 0)), "no cells"),
        (torch.ones(20, 2).to_sparse(), "sparse"),
        (object(), "objects"),
        (None, "objects"),
    ],
)
def test_what_cannot_be_data_is_refused_in_one_line(values: object, words: str):
    with pytest.raises(DataError, match=words) as caught:
        opened(values)
    assert "\n" not in str(caught.value)


def test_tensors_and_lists_are_read_like_arrays():
    x = rng.normal(size=(20, 2))
    for source in (
        x,
        torch.tensor(x),
        x.tolist(),
        torch.tensor(x).requires_grad_(),
        x.astype(">f8"),
    ):
        assert (opened(source).values == x).all()
    assert opened(torch.tensor(x).bfloat16()).rows.dtype == np.float32


def test_nan_masked_and_infinite_cells_are_gaps_and_counted():
    x = rng.normal(size=(20, 3))
    x[4, 2], x[7, 1] = np.nan, np.inf
    raw = opened(x)
    assert np.argwhere(np.isnan(raw.values)).tolist() == [[4, 2], [7, 1]]
    assert "1 cell infinite" in said(raw)
    assert "1 cell empty" in said(raw)  # the infinite one was counted twice
    assert np.isinf(x[7, 1])
    masked = np.ma.masked_array(rng.normal(size=(20, 2)), mask=False)
    assert opened(masked).rows.read(0, 20).observed is None
    masked[3, 1] = np.ma.masked
    observed = opened(masked).rows.read(0, 20).observed
    assert observed is not None
    assert np.argwhere(~observed).tolist() == [[3, 1]]


def test_codes_for_missing_cells_of_an_array_can_be_told():
    x = rng.integers(0, 5, (20, 3))
    x[4, 2] = x[7, 1] = -9
    assert np.argwhere(np.isnan(opened(x, gaps={"*": [-9]}).values)).tolist() == [[4, 2], [7, 1]]
    raw = opened(x, gaps={"column 3": [-9]})
    assert np.argwhere(np.isnan(raw.values)).tolist() == [[4, 2]]
    with pytest.raises(UnknownNameError, match="no column"):
        opened(x, gaps={"column 4": [-9]})
