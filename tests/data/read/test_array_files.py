""".npy and .npz files, hostile ones among them."""

import io
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest

from lowerbound.data.raw import TEST, VALIDATION, Raw
from lowerbound.data.read.source import open_source
from lowerbound.errors import DataError

rng = np.random.default_rng(0)
X = rng.normal(size=(30, 3))


def npy_bytes(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def claiming(shape: str) -> bytes:
    """A .npy file of 80 bytes of data whose header claims another shape."""
    head = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}"
    head += " " * (-(len(head) + 11) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head.encode() + b"\0" * 80


def of_part(raw: Raw, part: int) -> np.ndarray:
    return raw.values[raw.part == part]


def refused(path: Path, words: str) -> None:
    with pytest.raises(DataError, match=words) as caught:
        open_source(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("order", ["C", "F"])
def test_a_npy_file_is_read_like_its_array(tmp_path: Path, order):
    np.save(tmp_path / "x.npy", np.asarray(X, order=order))
    assert (open_source(tmp_path / "x.npy").values == X).all()
    assert open_source(str(tmp_path / "x.npy")).where == "'x.npy'"


def test_pickled_arrays_are_refused_because_they_can_run_code(tmp_path: Path):
    np.save(tmp_path / "x.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    refused(tmp_path / "x.npy", "run code.*plain number array")
    (tmp_path / "y.npy").write_bytes(pickle.dumps([1, 2]))
    refused(tmp_path / "y.npy", "run code")
    np.savez(tmp_path / "z.npz", x=np.array([{"a": 1}], dtype=object))
    refused(tmp_path / "z.npz", "run code")
    (tmp_path / "w.pt").write_bytes(b"x")
    refused(tmp_path / "w.pt", "run code")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty file"),
        (b"hello world", "not a .npy file"),
        (npy_bytes(X)[:-8], "truncated"),
        (npy_bytes(X)[:40], "header .* is broken"),
        (claiming(f"({10**15}, 10)"), "truncated"),
        (claiming("(-10, 1)"), "claims the shape"),
        (claiming("('a',)"), "broken"),
        (claiming("[[[[[["), "broken"),
        (npy_bytes(np.empty((0, 3))), "no examples"),
        (npy_bytes(np.float64(1)), "one number"),
        (npy_bytes(np.zeros(3, "f4,i4")), "records"),
        (b"\x93NUMPY\x09\x00" + b"\0" * 100, "format"),
    ],
)
def test_a_broken_npy_file_is_refused_in_one_line(tmp_path: Path, content: bytes, words: str):
    (tmp_path / "x.npy").write_bytes(content)
    refused(tmp_path / "x.npy", words)


def test_one_array_in_an_archive_is_the_data(tmp_path: Path):
    np.savez(tmp_path / "x.npz", anything=X)
    assert (open_source(tmp_path / "x.npz").values == X).all()


@pytest.mark.parametrize(
    ("x", "y"), [("x", "y"), ("images", "labels"), ("data", "target"), ("x_train", "y_train")]
)
def test_data_and_labels_are_known_by_their_names(tmp_path: Path, x: str, y: str):
    np.savez_compressed(tmp_path / "x.npz", **{x: X, y: np.repeat([3, 7, 9], 10)})
    raw = open_source(tmp_path / "x.npz")
    assert raw.label_names == ("3", "7", "9")
    assert raw.label is not None
    assert raw.label.tolist() == [0] * 10 + [1] * 10 + [2] * 10
    assert (raw.values == X).all()


@pytest.mark.parametrize(
    "names",
    [
        ("x_train", "x_test", "y_train", "y_test"),
        ("train_images", "test_images", "train_labels", "test_labels"),
        ("train", "test", "train_y", "test_y"),
        ("X_train", "X_test", "Y_train", "Y_test"),
    ],
)
def test_an_archive_that_names_its_parts_keeps_them(tmp_path: Path, names: tuple[str, ...]):
    arrays = (X[:20], X[20:], np.repeat(["a", "b"], 10), np.repeat(["b", "a"], 5))
    np.savez(tmp_path / "x.npz", **dict(zip(names, arrays, strict=True)))
    raw = open_source(tmp_path / "x.npz")
    assert (of_part(raw, TEST) == X[20:]).all()
    assert raw.label is not None
    assert raw.label[raw.part == TEST].tolist() == [1] * 5 + [0] * 5


def test_three_given_parts_are_all_kept(tmp_path: Path):
    np.savez(tmp_path / "x.npz", train=X[:20], valid=X[20:25], test=X[25:])
    raw = open_source(tmp_path / "x.npz")
    assert (of_part(raw, VALIDATION) == X[20:25]).all()
    assert (of_part(raw, TEST) == X[25:]).all()


def test_unknown_names_are_listed_and_one_can_be_chosen(tmp_path: Path):
    np.savez(tmp_path / "x.npz", foo=X, bar=X[:12] + 1)
    refused(tmp_path / "x.npz", "foo, bar; choose one with x.npz#foo")
    assert len(open_source(f"{tmp_path / 'x.npz'}#bar")) == 12
    with pytest.raises(DataError, match=r"no array 'baz'.*foo, bar"):
        open_source(f"{tmp_path / 'x.npz'}#baz")


def test_parts_of_different_shapes_and_labels_of_another_length_are_refused(tmp_path: Path):
    np.savez(tmp_path / "x.npz", train=X, test=X[:, :2])
    refused(tmp_path / "x.npz", "the parts of")
    np.savez(tmp_path / "y.npz", x=X, y=np.arange(5))
    refused(tmp_path / "y.npz", "pairs 30 examples with labels")


def test_a_broken_archive_is_refused_in_one_line(tmp_path: Path):
    path = tmp_path / "x.npz"
    np.savez_compressed(path, x=X)
    whole = path.read_bytes()
    for content in (whole[:200], whole[:-30], b"PK\x03\x04 nonsense", b"nothing like it"):
        path.write_bytes(content)
        refused(path, "cannot read")
    damaged = bytearray(whole)
    damaged[120:160] = b"\xff" * 40
    path.write_bytes(bytes(damaged))
    with pytest.raises(DataError):
        open_source(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "hello")
    refused(path, "no arrays")


def test_a_false_size_within_an_archive_allocates_nothing(tmp_path: Path):
    path = tmp_path / "x.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", claiming(f"({10**15}, 10)"))
    refused(path, "truncated")


def test_a_zip_bomb_is_refused_before_it_is_unpacked(tmp_path: Path, monkeypatch):
    monkeypatch.setattr("lowerbound.data.raw.MOST_BYTES", 2**20)
    np.savez_compressed(tmp_path / "x.npz", x=np.zeros((2**18, 8)))
    refused(tmp_path / "x.npz", "GiB of memory.*fewer examples")


def test_every_truncation_of_a_file_is_a_data_error(tmp_path: Path):
    path = tmp_path / "x.npz"
    np.savez(path, x=X[:12])
    whole = path.read_bytes()
    for length in range(1, len(whole), 37):
        path.write_bytes(whole[:length])
        with pytest.raises(DataError):
            open_source(path)


def test_other_files_are_refused_with_the_kinds_that_can_be_read(tmp_path: Path):
    (tmp_path / "x.docx").write_bytes(b"x")
    refused(tmp_path / "x.docx", "give .npy, .npz, .csv")
    refused(tmp_path / "absent.npy", "no such file or folder")
    with pytest.raises(DataError, match="no such file"):
        open_source("a\0b")


# ------------------------------------------------------------------------------ sparse matrices


def sparse_arrays(x: np.ndarray) -> dict[str, np.ndarray]:
    """The arrays that scipy writes of a matrix, its rows compressed."""
    rows, columns = np.nonzero(x)
    starts = np.concatenate([[0], np.cumsum((x != 0).sum(1))])
    return {
        "indices": columns.astype(np.int32),
        "indptr": starts.astype(np.int32),
        "format": np.array(b"csr"),
        "shape": np.array(x.shape),
        "data": x[rows, columns],
    }


COUNTS = rng.poisson(0.3, (30, 8))


@pytest.mark.parametrize("kind", ["csr", "csc", "coo"])
def test_a_sparse_matrix_of_scipy_is_read_as_the_matrix_it_is(tmp_path: Path, kind: str):
    scipy = pytest.importorskip("scipy.sparse")
    scipy.save_npz(tmp_path / "x.npz", scipy.csr_matrix(COUNTS).asformat(kind))
    raw = open_source(tmp_path / "x.npz")
    assert (raw.values == COUNTS).all()
    assert raw.rows.dtype == COUNTS.dtype
    assert "sparse" in str(raw.notes[0])
    assert (open_source(scipy.csr_matrix(COUNTS)).values == COUNTS).all()


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("indices", np.full(int((COUNTS > 0).sum()), 8), "broken sparse matrix"),
        ("indices", np.full(int((COUNTS > 0).sum()), -1), "broken sparse matrix"),
        ("indptr", np.arange(5), "broken sparse matrix"),
        ("shape", np.array([30]), "sparse"),
        ("shape", np.array([30, 10**9]), "GiB of memory"),
        ("format", np.array(b"bsr"), "tocsr"),
    ],
)
def test_a_broken_sparse_matrix_is_refused(tmp_path: Path, name: str, value, words: str):
    np.savez(tmp_path / "x.npz", **{**sparse_arrays(COUNTS), name: value})
    refused(tmp_path / "x.npz", words)


# ------------------------------------------------------------------------------ other formats


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("x.xlsx", "read_excel"),
        ("x.h5", "h5py"),
        ("x.mat", "loadmat"),
        ("x.nii.gz", "nibabel"),
        ("x.dcm", "pydicom"),
    ],
)
def test_a_format_that_is_not_read_names_the_line_that_converts(tmp_path, name: str, words: str):
    (tmp_path / name).write_bytes(b"x")
    refused(tmp_path / name, words)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / name).write_bytes(b"x")
    refused(tmp_path / "folder", words)


def test_tensors_of_a_safetensors_file_are_known_by_their_names(tmp_path: Path):
    torch = pytest.importorskip("torch")
    from safetensors.torch import save_file

    x = torch.tensor(X[:20], dtype=torch.bfloat16)
    save_file({"x": x, "y": torch.arange(20) % 2}, tmp_path / "x.safetensors")
    raw = open_source(tmp_path / "x.safetensors")
    assert (raw.values == x.float().numpy()).all()
    assert raw.label_names == ("0", "1")
    assert len(open_source(f"{tmp_path / 'x.safetensors'}#y")) == 20
    (tmp_path / "x.safetensors").write_bytes(b"\xff" * 40)
    refused(tmp_path / "x.safetensors", "cannot read")
