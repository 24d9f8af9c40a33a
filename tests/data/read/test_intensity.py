"""Pixels of more than 8 bits, and pictures of several pages."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lowerbound.data.raw import Raw
from lowerbound.data.read.source import open_source
from lowerbound.data.reading import reading
from lowerbound.errors import DataError

rng = np.random.default_rng(0)


def opened(path: Path, **told: object) -> Raw:
    return open_source(path, reading(**told))


def said(raw: Raw) -> str:
    return "; ".join(str(note) for note in raw.notes)


def save(folder: Path, arrays: np.ndarray, end: str) -> None:
    for i, pixels in enumerate(arrays):
        Image.fromarray(pixels).save(folder / f"{i:02}.{end}")


def test_twelve_bits_keep_their_levels(tmp_path: Path):
    """They were divided by 257: 14 of 4,096 levels were left."""
    x = rng.integers(90, 3000, (12, 6, 5)).astype(np.uint16)
    save(tmp_path, x, "tif")
    raw = opened(tmp_path)
    assert raw.levels == 4096
    assert (raw.values[:, 0] == x).all()
    assert "kept as 12-bit levels; --intensity bytes|reals" in said(raw)
    assert (opened(tmp_path, intensity="reals").values[:, 0] == x.astype(np.float32)).all()
    scaled = opened(tmp_path, intensity="bytes").values[:, 0]
    assert (scaled == np.round(x / 4095 * 255)).all()


def test_sixteen_bits_are_scaled_to_bytes_by_one_rule(tmp_path: Path):
    x = rng.integers(0, 65536, (12, 4, 4)).astype(np.uint16)
    x[0, 0, 0], x[1, 0, 1] = 65535, 257
    save(tmp_path, x, "png")
    raw = opened(tmp_path)
    assert (raw.values[:, 0] == np.round(x / 257)).all()
    assert "0 is 0 and 65535 is 255, in all" in said(raw)
    levels = opened(tmp_path, intensity="levels")
    assert levels.levels == 65536
    assert (levels.values[:, 0] == x).all()


def test_sixteen_bit_files_that_hold_bytes_are_bytes(tmp_path: Path):
    x = rng.integers(0, 256, (12, 4, 4)).astype(np.uint16)
    save(tmp_path, x, "png")
    raw = opened(tmp_path)
    assert raw.rows.dtype == np.uint8
    assert (raw.values[:, 0] == x).all()


def test_float_pictures_are_kept_and_none_by_a_rule_of_its_own(tmp_path: Path):
    """Each was scaled by its own range: one that peaked at 1.05 was rounded to 0 and 1."""
    x = rng.random((12, 4, 4)).astype(np.float32)
    x[3, 0, 0], x[4, 0, 0] = 1.05, -0.01
    save(tmp_path, x, "tif")
    raw = opened(tmp_path)
    assert (raw.values[:, 0] == x).all()
    assert "floats from -0.01 to 1.05: kept as reals; --intensity bytes" in said(raw)
    scaled = opened(tmp_path, intensity="bytes")
    low, high = float(x.min()), float(x.max())
    assert np.abs(scaled.values[:, 0] - (x - low) * 255 / (high - low)).max() <= 0.501
    assert (scaled.reading.low, scaled.reading.high) == (low, high)


def test_new_pictures_are_scaled_by_the_rule_of_the_old(tmp_path: Path):
    x = rng.random((12, 4, 4)).astype(np.float32)
    for name, scale in (("old", 2), ("new", 1)):
        (tmp_path / name).mkdir()
        save(tmp_path / name, scale * x, "tif")
    rule = opened(tmp_path / "old", intensity="bytes").reading
    new = open_source(tmp_path / "new", rule)
    low, high = 2 * float(x.min()), 2 * float(x.max())
    wanted = np.clip((x - low) / (high - low) * 255, 0, 255)
    assert np.abs(new.values[:, 0] - wanted).max() <= 0.501


def test_a_pixel_that_is_no_number_is_a_gap(tmp_path: Path):
    x = rng.random((12, 4, 4)).astype(np.float32)
    x[2, 1, 1] = np.nan
    save(tmp_path, x, "tif")
    raw = opened(tmp_path)
    assert np.argwhere(np.isnan(raw.values)).tolist() == [[2, 0, 1, 1]]


# ------------------------------------------------------------------------------ pages


def stack(path: Path, x: np.ndarray) -> None:
    frames = [Image.fromarray(pixels) for pixels in x]
    frames[0].save(path, save_all=True, append_images=frames[1:])


FILM = rng.integers(0, 256, (4, 7, 6, 5)).astype(np.uint8)


def test_the_pages_of_one_file_are_examples(tmp_path: Path):
    stack(tmp_path / "film.tif", FILM[0])
    raw = opened(tmp_path / "film.tif")
    assert (raw.values[:, 0] == FILM[0]).all()
    assert raw.row_names == tuple(f"film.tif#{k + 1}" for k in range(7))
    assert "7 pages of one file are read as examples; --pages first|channels" in said(raw)


@pytest.mark.parametrize("end", ["tif", "gif"])
def test_the_pages_of_many_files_are_read_as_told(tmp_path: Path, end: str):
    """23 of 24 slices were dropped."""
    for i, x in enumerate(FILM):
        stack(tmp_path / f"v{i}.{end}", x)
    raw = opened(tmp_path)
    assert "4 files of up to 7 pages: the first page was taken; --pages examples|channels" in said(
        raw
    )
    assert (raw.values[:, 0] == FILM[:, 0]).all() or end == "gif"
    assert opened(tmp_path, pages="examples").rows.shape == (1, 6, 5)
    assert len(opened(tmp_path, pages="examples")) == 28
    slices = opened(tmp_path, pages="channels")
    assert slices.rows.shape == (7, 6, 5)
    if end == "tif":
        assert (slices.values == FILM).all()
        assert opened(tmp_path, pages="examples").row_names[8] == "v1.tif#2"


def test_pages_as_channels_need_one_number_of_pages(tmp_path: Path):
    stack(tmp_path / "a.tif", FILM[0])
    stack(tmp_path / "b.tif", FILM[0, :3])
    with pytest.raises(DataError, match=r"have 3, 7"):
        opened(tmp_path, pages="channels")
