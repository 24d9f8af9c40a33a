"""Folders of pictures, whole, broken and hostile."""

import os
import shutil
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, JpegImagePlugin

from lowerbound.data.raw import TEST, TRAIN, Raw
from lowerbound.data.read.source import open_source
from lowerbound.data.reading import reading
from lowerbound.errors import DataError, SettingError

rng = np.random.default_rng(0)


def picture(mode: str = "L", size: tuple[int, int] = (6, 5)) -> Image.Image:
    """Noise of `(H, W)`."""
    pixels = rng.integers(0, 256, (*size, 4)).astype(np.uint8)
    if mode == "L":
        return Image.fromarray(pixels[..., 0])
    return Image.fromarray(pixels[..., :3]).convert(mode)


def fill(folder: Path, count: int = 12, mode: str = "L", size=(6, 5), end: str = "png") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(count):
        picture(mode, size).save(folder / f"p{i:02}.{end}")


def opened(path: Path, **told: object) -> Raw:
    return open_source(path, reading(**told))


def said(raw: Raw) -> str:
    return "; ".join(str(note) for note in raw.notes)


@pytest.mark.parametrize(("mode", "channels"), [("L", 1), ("RGB", 3)])
def test_a_folder_of_one_size_is_read_exactly(tmp_path: Path, mode: str, channels: int):
    fill(tmp_path, mode=mode)
    raw = opened(tmp_path)
    assert raw.rows.shape == (channels, 6, 5)
    assert raw.rows.dtype == np.uint8
    assert raw.notes == ()
    assert raw.row_names == tuple(f"p{i:02}.png" for i in range(12))
    assert raw.row_label == "file"
    for row, name in zip(raw.values, raw.row_names, strict=True):
        pixels = np.asarray(Image.open(tmp_path / name))
        assert (row == (pixels[None] if channels == 1 else pixels.transpose(2, 0, 1))).all()


def test_a_truncated_png_among_good_ones_is_skipped_and_told(tmp_path: Path):
    """The names stay with their rows."""
    fill(tmp_path, size=(40, 40))
    whole = (tmp_path / "p03.png").read_bytes()
    (tmp_path / "p03.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "p05.png").write_bytes(b"not a picture")
    raw = opened(tmp_path)
    assert "1 file skipped: truncated (p03.png)" in said(raw)
    assert "1 file skipped: broken (p05.png)" in said(raw)
    assert raw.row_names == tuple(f"p{i:02}.png" for i in range(12) if i not in (3, 5))
    assert (raw.values[3, 0] == np.asarray(Image.open(tmp_path / "p04.png"))).all()


def test_other_files_are_told_and_hidden_ones_are_not(tmp_path: Path):
    fill(tmp_path)
    (tmp_path / "readme.txt").write_text("hello")
    (tmp_path / ".DS_Store").write_text("hello")
    (tmp_path / ".hidden.png").write_text("hello")
    assert said(opened(tmp_path)) == "1 file skipped: not images (readme.txt)"


def test_a_zip_is_read_like_its_folder(tmp_path: Path):
    fill(tmp_path / "x" / "cat", 8)
    fill(tmp_path / "x" / "dog", 8)
    shutil.make_archive(str(tmp_path / "x"), "zip", tmp_path / "x")
    folder, archive = opened(tmp_path / "x"), opened(tmp_path / "x.zip")
    assert (folder.values == archive.values).all()
    assert folder.row_names == archive.row_names
    assert archive.label_names == ("cat", "dog")
    whole = (tmp_path / "x.zip").read_bytes()
    for content in (whole[:300], b"PK nonsense"):
        (tmp_path / "y.zip").write_bytes(content)
        with pytest.raises(DataError, match=r"zip it again"):
            opened(tmp_path / "y.zip")


def test_sub_folders_name_the_classes_and_parts(tmp_path: Path):
    for part, count in (("train", 12), ("test", 5)):
        fill(tmp_path / part / "cat", count)
        fill(tmp_path / part / "dog" / "puppies", count)
    raw = opened(tmp_path)
    assert raw.label_names == ("cat", "dog")
    assert raw.part is not None
    assert raw.label is not None
    for name, part, label in zip(raw.row_names or (), raw.part, raw.label, strict=True):
        assert part == (TEST if name.startswith("test") else TRAIN)
        assert label == ("dog" in name)


# ------------------------------------------------------------------------------ colours


@pytest.mark.parametrize(
    ("mode", "end", "words"),
    [
        ("CMYK", "jpg", "12 images CMYK: converted to RGB"),
        ("P", "png", "12 images with a palette"),
        ("RGBA", "png", "12 images composited on white"),
        ("LA", "png", "12 images composited on white"),
    ],
)
def test_other_modes_are_converted_and_counted(tmp_path: Path, mode: str, end: str, words: str):
    fill(tmp_path, mode=mode, end=end)
    raw = opened(tmp_path)
    assert words in said(raw)
    assert raw.rows.shape[0] == (1 if mode == "LA" else 3)


def test_transparent_pixels_become_white(tmp_path: Path):
    for i in range(12):
        pixels = rng.integers(0, 256, (4, 4, 4)).astype(np.uint8)
        pixels[0, 0, 3] = 0
        Image.fromarray(pixels).save(tmp_path / f"{i}.png")
    assert (opened(tmp_path).values[:, :, 0, 0] == 255).all()


def test_a_fourth_band_that_varies_is_no_transparency(tmp_path: Path):
    """Near infrared was composited away; Pillow's TIFF calls any fourth band alpha."""
    x = rng.integers(0, 256, (12, 6, 5, 4)).astype(np.uint8)
    for i, pixels in enumerate(x):
        Image.fromarray(pixels).save(tmp_path / f"{i:02}.tif")
    raw = opened(tmp_path)
    assert (raw.values == x.transpose(0, 3, 1, 2)).all()
    assert "--channels 3" in said(raw)
    assert opened(tmp_path, channels=3).rows.shape == (3, 6, 5)


def test_a_fourth_band_that_is_mostly_opaque_is_transparency(tmp_path: Path):
    x = rng.integers(0, 256, (12, 6, 5, 4)).astype(np.uint8)
    x[..., 3] = 255
    x[:, 0, 0, 3] = 0
    for i, pixels in enumerate(x):
        Image.fromarray(pixels).save(tmp_path / f"{i:02}.tif")
    raw = opened(tmp_path)
    assert raw.rows.shape == (3, 6, 5)
    assert (raw.values[:, :, 0, 0] == 255).all()
    assert opened(tmp_path, channels=4).rows.shape == (4, 6, 5)


def test_grey_among_colour_is_read_as_colour_and_counted(tmp_path: Path):
    fill(tmp_path, mode="RGB")
    picture().save(tmp_path / "grey.png")
    raw = opened(tmp_path)
    assert raw.rows.shape[0] == 3
    assert "1 image grey: read as colour (grey.png)" in said(raw)


def test_colour_files_that_hold_only_grey_become_one_channel(tmp_path: Path):
    for i in range(12):
        picture().convert("RGB").save(tmp_path / f"{i}.png")
    raw = opened(tmp_path)
    assert raw.rows.shape == (1, 6, 5)
    assert "read as grey" in said(raw)
    assert opened(tmp_path, channels=3).rows.shape == (3, 6, 5)


# ------------------------------------------------------------------------------ sizes


def save(folder: Path, arrays: np.ndarray, end: str) -> None:
    for i, pixels in enumerate(arrays):
        Image.fromarray(pixels).save(folder / f"{i:02}.{end}")


def test_exif_orientation_is_applied(tmp_path: Path):
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = []
    for i in range(12):
        image = picture(size=(4, 9))
        image.save(tmp_path / f"{i:02}.png", exif=exif)
        turned.append(np.rot90(np.asarray(image), -1))
    raw = opened(tmp_path)
    assert raw.rows.shape == (1, 9, 4)
    assert [str(note)[:16] for note in raw.notes] == ["12 images turned"]
    assert (raw.values[:, 0] == np.stack(turned)).all()


def test_mixed_sizes_take_the_most_common_one(tmp_path: Path):
    fill(tmp_path, 8, size=(10, 12))
    fill(tmp_path / "more", 4, size=(30, 20))
    raw = opened(tmp_path)
    assert raw.rows.shape == (1, 10, 12)
    assert "4 images resized to 10x12, cut around their centre" in said(raw)
    assert "--image-size HxW" in said(raw)


@pytest.mark.parametrize(
    ("sizes", "shape"),
    [
        ([(256, 20)], (1, 256, 20)),
        ([(300, 150)], (1, 64, 32)),
        ([(300, 7)], (1, 300, 7)),
        ([(2000, 50)], (1, 640, 16)),
        ([(3000, 3)], (1, 1024, 1)),
        ([(64, 60), (64, 60), (9, 9)], (1, 64, 60)),
        ([(130, 65), (130, 65), (9, 9)], (1, 64, 32)),
        ([(500, 1)], (1, 500, 1)),
    ],
)
def test_long_sides_are_scaled_down_where_the_short_one_allows_it(tmp_path: Path, sizes, shape):
    for i, size in enumerate(sizes):
        fill(tmp_path / str(i), 5 if len(sizes) > 1 else 11, size=size)
    raw = opened(tmp_path)
    assert raw.rows.shape == shape
    assert ("--image-size" in said(raw)) == (shape[1:] != sizes[0] or len(sizes) > 1)


def test_image_size_overrides(tmp_path: Path):
    fill(tmp_path)
    raw = opened(tmp_path, image_size=(3, 4))
    assert raw.rows.shape == (1, 3, 4)
    assert "12 images resized to 3x4, cut around their centre" in said(raw)


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize(
    ("fit", "columns", "words"),
    [
        ("crop", [90, 90, 90, 90], "cut around their centre"),
        ("pad", [0, 10, 170, 0], "padded"),
        ("stretch", [10, 10, 170, 170], "stretched"),
    ],
)
def test_how_a_picture_is_fitted_can_be_told(tmp_path, wide, fit, columns, words):
    """A wide picture, dark on its left and bright on its right."""
    x = np.full((4, 8), 10)
    x[:, 4:] = 170
    x = np.repeat(np.repeat(x, 4, 0), 4, 1).astype(np.uint16 if wide else np.uint8)
    save(tmp_path, np.stack([x] * 3), "png")
    size = (8, 4) if fit == "crop" else (8, 8)
    raw = opened(tmp_path, image_size=size, fit=fit)
    assert words in said(raw)
    middle = raw.values[0, 0, 4].astype(int)
    if fit == "crop":
        assert middle[0] < 90 < middle[-1]
        assert raw.rows.shape == (1, 8, 4)
    elif fit == "pad":
        assert raw.values[0, 0, 0].max() == 0
        assert abs(middle[0] - 10) < 9
        assert abs(middle[-1] - 170) < 9
    else:
        assert abs(raw.values[0, 0, 0, 0] - 10.0) < 9
        assert abs(raw.values[0, 0, 0, -1] - 170.0) < 9


def test_large_jpegs_are_reduced_while_decoding(tmp_path: Path):
    smooth = np.outer(np.linspace(0, 200, 1600), np.ones(2400)).astype(np.uint8)
    for i in range(3):
        Image.fromarray(smooth).save(tmp_path / f"{i}.jpg")
    drafts = []
    original = JpegImagePlugin.JpegImageFile.draft

    def spy(self, mode, size):
        drafts.append(original(self, mode, size))
        return drafts[-1]

    JpegImagePlugin.JpegImageFile.draft = spy
    try:
        raw = opened(tmp_path, image_size=(16, 24))
    finally:
        JpegImagePlugin.JpegImageFile.draft = original
    assert any(draft is not None for draft in drafts)
    wanted = (np.arange(16) + 0.5) * 200 / 16
    assert np.abs(raw.values[0, 0].mean(axis=1) - wanted).max() < 2


@pytest.mark.parametrize(
    "wrong", [{"image_size": (0, 4)}, {"image_size": (3, 4, 5)}, {"image_size": (True, 4)},
              {"image_size": (10**6, 4)}, {"fit": "squeeze"}, {"pages": "last"},
              {"channels": 0}, {"low": 1.0}, {"low": 2.0, "high": 1.0}]
)  # fmt: skip
def test_impossible_options_are_refused(wrong: dict):
    with pytest.raises(SettingError):
        reading(**wrong)


def png_claiming(width: int, height: int) -> bytes:
    """A PNG whose header claims a size; the rest is a few bytes."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            len(body).to_bytes(4, "big") + kind + body + zlib.crc32(kind + body).to_bytes(4, "big")
        )

    head = width.to_bytes(4, "big") + height.to_bytes(4, "big") + b"\x08\x00\x00\x00\x00"
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def test_decompression_bombs_are_skipped_without_allocating_and_told(tmp_path: Path):
    fill(tmp_path)
    for name, side in (("bomb1", 9000), ("bomb2", 12_000), ("bomb3", 60_000)):
        (tmp_path / f"{name}.png").write_bytes(png_claiming(side, side))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        raw = opened(tmp_path)
    assert len(raw) == 12
    assert "2 files skipped: broken (bomb1.png, bomb2.png)" in said(raw)
    assert "1 file skipped: over 178,000,000 pixels (bomb3.png)" in said(raw)


def test_a_folder_too_large_for_memory_is_refused_with_a_remedy(tmp_path: Path, monkeypatch):
    fill(tmp_path, size=(200, 200))
    monkeypatch.setattr("lowerbound.data.raw.MOST_BYTES", 2**17)
    with pytest.raises(DataError, match=r"--limit.*--image-size"):
        opened(tmp_path)


def test_the_order_of_files_is_the_same_everywhere(tmp_path: Path):
    fill(tmp_path / "a")
    (tmp_path / "b").mkdir()
    for path in sorted((tmp_path / "a").iterdir(), reverse=True):
        (tmp_path / "b" / path.name).write_bytes(path.read_bytes())
    one, other = opened(tmp_path / "a"), opened(tmp_path / "b")
    assert (one.values == other.values).all()
    assert one.row_names == other.row_names


def test_loops_of_links_end_and_pipes_are_not_opened(tmp_path: Path):
    fill(tmp_path / "a")
    (tmp_path / "a" / "loop").symlink_to(tmp_path)
    (tmp_path / "a" / "gone.png").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "a" / "pipe.png")
    assert len(opened(tmp_path)) == 12


def test_limit_reads_no_more_pictures_than_asked(tmp_path: Path):
    fill(tmp_path / "a", 15)
    fill(tmp_path / "b", 15)
    raw = open_source(tmp_path, limit=20)
    assert len(raw) == 20
    assert "limited to 20 of 30 pictures" in said(raw)


def test_each_empty_folder_has_its_own_message(tmp_path: Path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "a.docx").write_text("1,2")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "a.png").write_text("x")
    for name, words in (
        ("empty", "is empty"),
        ("other", "only 1 .docx"),
        ("broken", "1 file skipped: broken"),
        ("absent", "no such file or folder|no file, folder or data set"),
    ):
        with pytest.raises((DataError, SettingError), match=words) as caught:
            open_source(str(tmp_path / name))
        assert "\n" not in str(caught.value)


def test_new_pictures_are_fitted_as_the_old_and_told(tmp_path: Path):
    fill(tmp_path / "old")
    rule = reading(opened(tmp_path / "old").reading, image_size=(6, 5))
    fill(tmp_path / "new", 3, mode="RGB", size=(20, 30))
    (tmp_path / "new" / "z.png").write_text("x")
    raw = open_source(tmp_path / "new", rule)
    assert raw.rows.shape == (1, 6, 5)
    assert "3 images colour: read as grey" in said(raw)
    assert "3 images resized to 6x5" in said(raw)
    assert "1 file skipped: broken (z.png)" in said(raw)


def test_random_damage_never_escapes_as_another_error(tmp_path: Path):
    fill(tmp_path, 12)
    for number, end in enumerate(("png", "jpg", "gif", "bmp", "tif", "webp", "ppm")):
        picture("RGB", (8, 8)).save(tmp_path / f"x.{end}")
        whole = bytearray((tmp_path / f"x.{end}").read_bytes())
        for i in range(6):
            broken = bytearray(whole)
            for place in rng.integers(0, len(broken), 4):
                broken[place] ^= int(rng.integers(1, 256))
            (tmp_path / f"{number}{i}.{end}").write_bytes(
                bytes(broken[: rng.integers(1, len(broken))])
            )
    assert len(opened(tmp_path)) >= 12
