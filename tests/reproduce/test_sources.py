"""The data of the papers: where it is looked for, and what is said where it is missing."""

import numpy as np
import pytest

from lowerbound.errors import DataError
from lowerbound.reproduce import sources
from lowerbound.reproduce.sources import load


@pytest.fixture(scope="module")
def bits() -> dict[str, np.ndarray]:
    generator = np.random.default_rng(0)
    counts = {"train": 50_000, "valid": 10_000, "test": 10_000}
    return {name: generator.integers(0, 2, (n, 784), dtype=np.uint8) for name, n in counts.items()}


@pytest.mark.parametrize("packed", [True, False])
def test_the_static_binarisation_is_read_from_one_file(tmp_path, bits, packed):
    arrays = {name: np.packbits(x, axis=1) if packed else x for name, x in bits.items()}
    np.savez(tmp_path / "static.npz", **arrays)
    data = load("mnist-static", tmp_path / "static.npz")
    assert data.schema.describe() == "binary images 1x28x28"
    assert (len(data.train), len(data.validation), len(data.test)) == (50_000, 10_000, 10_000)
    assert (data.test.x.numpy().reshape(-1, 784) == bits["test"]).all()
    assert data.train.grey is None


def test_the_static_binarisation_is_read_from_larochelle_s_three_files(tmp_path, bits):
    for name, x in bits.items():
        rows = np.full((len(x), 2 * 784), ord(" "), np.uint8)
        rows[:, ::2] = x + ord("0")
        rows[:, -1] = ord("\n")
        (tmp_path / f"binarized_mnist_{name}.amat").write_bytes(rows.tobytes())
    data = load("mnist-static", tmp_path)
    assert (data.validation.x.numpy().reshape(-1, 784) == bits["valid"]).all()


@pytest.mark.parametrize("make", [None, "nothing", "other.npz", "short.npz", "folder"])
def test_what_is_missing_is_said_with_its_remedy(tmp_path, bits, make):
    path = None if make is None else tmp_path / make
    if make == "other.npz":
        np.savez(path, x=np.zeros(3))
    if make == "short.npz":
        np.savez(path, **{name: x[:5] for name, x in bits.items()})
    if make == "folder":
        path.mkdir()
    with pytest.raises(DataError, match=r"give --data FOLDER with binarized_mnist_train\.amat"):
        load("mnist-static", path)


@pytest.mark.parametrize(
    ("name", "shape"), [("iris", (150, 4)), ("breast-cancer", (569, 30)), ("digits", (1797, 64))]
)
def test_tables_are_whole_and_measured(name, shape):
    data = load(name)
    assert data.train.x.shape == data.test.x.shape == shape
    assert data.schema.mean is not None
    assert data.schema.scale.unique().numel() == 1  # probabilistic PCA has one scale


def _idx(path, array):
    head = bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape)
    path.write_bytes(head + array.tobytes())


def test_mnist_keeps_400_training_images_to_look_at(tmp_path):
    generator, train = np.random.default_rng(0), np.empty(0)
    for part, count in (("train", 60_000), ("t10k", 10_000)):
        images = np.repeat(generator.integers(0, 256, (count, 28, 4), dtype=np.uint8), 7, axis=2)
        train = images if part == "train" else train
        _idx(tmp_path / f"{part}-images-idx3-ubyte", images)
    data = load("mnist-dynamic", tmp_path)
    assert (len(data.train), len(data.validation), len(data.test)) == (59_600, 400, 10_000)
    assert data.schema.white == 255.0
    assert data.train.grey is not None
    other = load("mnist-dynamic-50000", tmp_path)
    assert (len(other.train), len(other.validation)) == (50_000, 10_000)
    first = {row.tobytes() for row in train[:50_000]}
    assert {row.numpy().tobytes() for row in other.train.grey.levels} == first
    _idx(tmp_path / "train-images-idx3-ubyte", images)
    with pytest.raises(DataError, match="not the 60,000 and 10,000 images"):
        load("mnist-dynamic", tmp_path)


def test_the_treebank_is_read_as_words_that_end(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "TREEBANK", {"train": 3, "valid": 1, "test": 1})
    with pytest.raises(DataError, match=r"give --data FOLDER with ptb\.train\.txt"):
        load("ptb", tmp_path)
    (tmp_path / "ptb.train.txt").write_text(" the <unk> ran \n the dog \n the end\n")
    (tmp_path / "ptb.valid.txt").write_text(" the dog \n")
    (tmp_path / "ptb.test.txt").write_text(" the cat ran \n")
    data = load("ptb", tmp_path)
    assert data.schema.levels == 6
    assert data.train.load().x[:, 0].tolist() == [1, 1, 1]  # the most frequent word
    test = data.test.load()
    assert test.x.tolist() == [[1, 2, 3, 0]]  # a word never seen is <unk>
    assert test.lengths.tolist() == [4]
    (tmp_path / "ptb.test.txt").write_text("")
    with pytest.raises(DataError, match="sentences, not"):
        load("ptb", tmp_path)
