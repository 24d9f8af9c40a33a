"""Folders of pictures, whole, broken and hostile."""

import os
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lowerbound.data import Data, read, read_examples
from lowerbound.errors import DataError, SettingError, ShapeError

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


def told(data: Data) -> str:
    return "; ".join(str(note) for note in data.notes)


def everything(data: Data) -> int:
    return len(data.train) + len(data.validation) + len(data.test)


@pytest.mark.parametrize(("mode", "channels"), [("L", 1), ("RGB", 3)])
def test_a_folder_of_one_size_is_read_exactly(tmp_path: Path, mode: str, channels: int):
    fill(tmp_path, mode=mode)
    data = read(tmp_path)
    assert data.schema.shape == (channels, 6, 5)
    assert data.schema.kind == "ordinal"
    assert data.notes == ()
    stored = {
        row.numpy().tobytes() for part in (data.train, data.validation, data.test) for row in part.x
    }
    for path in tmp_path.iterdir():
        pixels = np.asarray(Image.open(path))
        wanted = pixels[None] if channels == 1 else pixels.transpose(2, 0, 1)
        assert np.ascontiguousarray(wanted).tobytes() in stored


def test_a_truncated_png_among_good_ones_is_skipped_and_told(tmp_path: Path):
    fill(tmp_path, size=(40, 40))
    whole = (tmp_path / "p03.png").read_bytes()
    (tmp_path / "p03.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "p05.png").write_bytes(b"not a picture")
    data = read(tmp_path)
    assert everything(data) == 10
    assert "1 file skipped: truncated (p03.png)" in told(data)
    assert "1 file skipped: broken (p05.png)" in told(data)


def test_other_files_are_told_and_hidden_ones_are_not(tmp_path: Path):
    fill(tmp_path)
    (tmp_path / "readme.txt").write_text("hello")
    (tmp_path / ".DS_Store").write_text("hello")
    (tmp_path / ".hidden.png").write_text("hello")
    assert told(read(tmp_path)) == "1 file skipped: not images (readme.txt)"


def test_sub_folders_name_the_classes(tmp_path: Path):
    fill(tmp_path / "cat", 8)
    fill(tmp_path / "dog" / "puppies", 8)
    data = read(tmp_path)
    assert data.train.label_names == ("cat", "dog")
    counts = sum(
        np.bincount(part.label.numpy(), minlength=2)
        for part in (data.train, data.validation, data.test)
        if part.label is not None
    )
    assert list(counts) == [8, 8]


def test_train_and_test_folders_are_kept_as_parts(tmp_path: Path):
    for part, count in (("train", 12), ("test", 5)):
        fill(tmp_path / part / "a", count)
        fill(tmp_path / part / "b", count)
    data = read(tmp_path)
    assert len(data.test) == 10
    assert data.split["test"] == "given"
    assert data.test.label_names == ("a", "b")


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
    data = read(tmp_path)
    assert words in told(data)
    assert data.schema.shape[0] == (1 if mode == "LA" else 3)


def test_transparent_pixels_become_white(tmp_path: Path):
    for i in range(12):
        pixels = rng.integers(0, 256, (4, 4, 4)).astype(np.uint8)
        pixels[0, 0, 3] = 0
        Image.fromarray(pixels).save(tmp_path / f"{i}.png")
    data = read(tmp_path)
    assert (data.train.x[:, :, 0, 0] == 255).all()


def test_sixteen_bits_are_scaled_to_eight(tmp_path: Path):
    wide = rng.integers(0, 65536, (12, 4, 4)).astype(np.uint16)
    wide[:, 0, 0], wide[:, 0, 1] = 65535, 257
    for i, pixels in enumerate(wide):
        Image.fromarray(pixels).save(tmp_path / f"{i}.png")
    data = read(tmp_path)
    assert "12 images 16-bit: scaled to 8 bits" in told(data)
    assert (data.train.x[:, 0, 0, 0] == 255).all()
    assert (data.train.x[:, 0, 0, 1] == 1).all()


@pytest.mark.parametrize(
    ("scale", "words"),
    [(1, "float from 0 to 1"), (255, "float from 0 to 255"), (1e6, "of an unusual range")],
)
def test_float_pictures_are_scaled_and_told(tmp_path: Path, scale: float, words: str):
    for i in range(12):
        Image.fromarray((rng.random((4, 4)) * scale).astype(np.float32)).save(tmp_path / f"{i}.tif")
    assert f"12 images {words}" in told(read(tmp_path))


def test_the_first_frame_of_an_animation_is_taken(tmp_path: Path):
    for i in range(12):
        frames = [picture() for _ in range(3)]
        frames[0].save(tmp_path / f"{i}.gif", save_all=True, append_images=frames[1:])
    assert "12 images animated" in told(read(tmp_path))


def test_exif_orientation_is_applied(tmp_path: Path):
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = set()
    for i in range(12):
        image = picture(size=(4, 9))
        image.save(tmp_path / f"{i}.png", exif=exif)
        turned.add(np.rot90(np.asarray(image), -1).tobytes())
    data = read(tmp_path)
    assert data.schema.shape == (1, 9, 4)
    assert [str(note)[:16] for note in data.notes] == ["12 images turned"]
    assert {row.numpy().tobytes() for row in data.train.x} < turned


def test_grey_among_colour_is_read_as_colour_and_counted(tmp_path: Path):
    fill(tmp_path, mode="RGB")
    picture().save(tmp_path / "grey.png")
    data = read(tmp_path)
    assert data.schema.shape[0] == 3
    assert "1 image grey: read as colour (grey.png)" in told(data)


def test_colour_files_that_hold_only_grey_become_one_channel(tmp_path: Path):
    for i in range(12):
        picture().convert("RGB").save(tmp_path / f"{i}.png")
    data = read(tmp_path)
    assert data.schema.shape == (1, 6, 5)
    assert "read as grey" in told(data)


def test_black_and_white_pictures_are_binary(tmp_path: Path):
    for i in range(12):
        picture().convert("1").save(tmp_path / f"{i}.png")
    assert read(tmp_path).schema.kind == "binary"


def test_mixed_sizes_take_the_most_common_one(tmp_path: Path):
    fill(tmp_path, 8, size=(10, 12))
    fill(tmp_path / "more", 4, size=(30, 20))
    data = read(tmp_path)
    assert data.schema.shape == (1, 10, 12)
    assert "4 images resized to 10x12" in told(data)
    assert "--image-size HxW" in told(data)


@pytest.mark.parametrize(
    ("sizes", "shape"),
    [
        ([(256, 20)], (1, 256, 20)),
        ([(300, 150)], (1, 64, 32)),
        ([(64, 60), (64, 60), (9, 9)], (1, 64, 60)),
        ([(130, 65), (130, 65), (9, 9)], (1, 64, 32)),
        ([(500, 1)], (1, 64, 1)),
    ],
)
def test_long_sides_are_scaled_down_and_told(tmp_path: Path, sizes, shape):
    for i, size in enumerate(sizes):
        fill(tmp_path / str(i), 5 if len(sizes) > 1 else 11, size=size)
    data = read(tmp_path)
    assert data.schema.shape == shape
    assert ("--image-size" in told(data)) == (len(sizes) > 1 or shape[1] == 64)


def test_image_size_overrides(tmp_path: Path):
    fill(tmp_path)
    data = read(tmp_path, image_size=(3, 4))
    assert data.schema.shape == (1, 3, 4)
    assert "12 images resized to 3x4" in told(data)
    for wrong in ((0, 4), (3, 4, 5), (True, 4), (10**6, 4)):
        with pytest.raises(SettingError, match="image_size"):
            read(tmp_path, image_size=wrong)


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
        data = read(tmp_path)
    assert everything(data) == 12
    assert "3 files skipped: too large (bomb1.png, bomb2.png, bomb3.png)" in told(data)


def test_a_folder_too_large_for_memory_is_refused_with_a_remedy(tmp_path: Path, monkeypatch):
    fill(tmp_path, size=(200, 200))
    monkeypatch.setattr("lowerbound.data.raw.MOST_BYTES", 2**17)
    with pytest.raises(DataError, match=r"--limit.*--image-size"):
        read(tmp_path)


def test_the_order_of_files_is_the_same_everywhere(tmp_path: Path):
    fill(tmp_path / "a")
    (tmp_path / "b").mkdir()
    for path in sorted((tmp_path / "a").iterdir(), reverse=True):
        (tmp_path / "b" / path.name).write_bytes(path.read_bytes())
    schema = read(tmp_path / "a").schema
    one, other = (read_examples(tmp_path / name, schema)[0].x for name in "ab")
    assert (one == other).all()
    for row, path in zip(one, sorted((tmp_path / "b").iterdir()), strict=True):
        assert (row[0].numpy() == np.asarray(Image.open(path))).all()


def test_loops_of_links_end_and_pipes_are_not_opened(tmp_path: Path):
    fill(tmp_path / "a")
    (tmp_path / "a" / "loop").symlink_to(tmp_path)
    (tmp_path / "a" / "gone.png").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "a" / "pipe.png")
    assert everything(read(tmp_path)) == 12


def test_limit_reads_no_more_pictures_than_asked(tmp_path: Path):
    fill(tmp_path / "a", 15)
    fill(tmp_path / "b", 15)
    data = read(tmp_path, limit=20)
    assert everything(data) == 20
    assert "limited to 20 of 30 pictures" in told(data)


def test_each_empty_folder_has_its_own_message(tmp_path: Path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "csv").mkdir()
    (tmp_path / "csv" / "a.csv").write_text("1,2")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "a.png").write_text("x")
    for name, words in (
        ("empty", "is empty"),
        ("csv", "only 1 .csv"),
        ("broken", "1 file skipped: broken"),
        ("absent", "no such file or folder|no file, folder or data set"),
    ):
        with pytest.raises((DataError, SettingError), match=words) as caught:
            read(str(tmp_path / name))
        assert "\n" not in str(caught.value)


def test_one_picture_is_too_few_to_train_on_and_enough_to_use(tmp_path: Path):
    fill(tmp_path)
    schema = read(tmp_path).schema
    with pytest.raises(DataError, match="single picture"):
        read(tmp_path / "p00.png")
    examples, notes = read_examples(tmp_path / "p00.png", schema)
    assert examples.x.shape == (1, 1, 6, 5)
    assert notes == ()


def test_new_pictures_are_fitted_to_the_model_and_told(tmp_path: Path):
    fill(tmp_path / "old")
    schema = read(tmp_path / "old").schema
    fill(tmp_path / "new", 3, mode="RGB", size=(20, 30))
    (tmp_path / "new" / "z.png").write_text("x")
    examples, notes = read_examples(tmp_path / "new", schema)
    assert examples.x.shape == (3, 1, 6, 5)
    words = "; ".join(map(str, notes))
    assert "3 images colour: read as grey" in words
    assert "3 images resized to 6x5" in words
    assert "1 file skipped: broken (z.png)" in words


def test_pictures_are_no_food_for_vectors_or_reals(tmp_path: Path):
    fill(tmp_path)
    with pytest.raises(ShapeError, match="holds pictures"):
        read_examples(tmp_path, read(rng.normal(size=(20, 3))).schema)
    with pytest.raises(DataError, match="8-bit pictures"):
        read_examples(tmp_path, read(rng.normal(size=(20, 6, 5))).schema)


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
    assert everything(read(tmp_path)) >= 12
