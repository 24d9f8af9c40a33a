"""Array files left on disk: the same schema, split and examples as in memory."""

import gzip
import json
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from lowerbound.data import Data, StoredExamples, read, read_examples
from lowerbound.errors import DataError, SettingError


def in_order(part) -> torch.Tensor:
    """The examples of a part in an order of their own."""
    flat = part.load().x.reshape(len(part), -1).double()
    return flat[np.lexsort(flat.numpy().T)]


def same_data(one: Data, other: Data, *, exact: bool = True) -> None:
    """All that is known of two data sets, but for where the training examples are."""
    assert other.stored and isinstance(other.train, StoredExamples) and not one.stored
    assert torch.equal(in_order(one.train), in_order(other.train))
    assert torch.equal(one.validation.load().x, other.validation.load().x)
    assert torch.equal(one.test.load().x, other.test.load().x)
    assert one.split == other.split
    assert one.notes == other.notes
    if exact:
        assert one.schema == other.schema
    else:
        a, b = one.schema, other.schema
        assert a.describe() == b.describe() and a.constants == b.constants
        torch.testing.assert_close(a.mean, b.mean, rtol=1e-12, atol=1e-12)
        # a column of 1000 +- 0.005 is known to eps 1000/0.005 = 4e-11 only, either way
        torch.testing.assert_close(a.scale, b.scale, rtol=1e-10, atol=0)


def both(path, **options) -> tuple[Data, Data]:
    return read(path, stream=False, **options), read(path, stream=True, **options)


@pytest.mark.usefixtures("small_blocks")
class TestTheSameAsInMemory:
    def test_images_of_bytes(self, saved, images):
        same_data(*both(saved(images)))

    def test_colour_with_the_channels_last_and_an_alpha_channel(self, saved):
        pixels = np.random.default_rng(2).integers(0, 256, (300, 6, 7, 4), dtype=np.uint8)
        same_data(*both(saved(pixels)))
        same_data(*both(saved(pixels[..., :3])))

    def test_bits_of_any_type_and_black_and_white(self, saved):
        bits = np.random.default_rng(3).random((400, 8, 8)) < 0.3
        for values in (bits, bits.astype(float), bits.astype(np.uint8) * 255):
            same_data(*both(saved(values)))

    def test_binarised(self, saved, images):
        same_data(*both(saved(images), binarize=True))
        same_data(*both(saved(np.random.default_rng(0).random((300, 4))), binarize=True))

    def test_ordinal_and_few_bytes(self, saved, images):
        same_data(*both(saved((images // 16).astype(np.int16))))
        same_data(*both(saved(images // 16)))

    def test_reals_their_measures_and_constant_columns(self, saved, numbers):
        numbers = np.column_stack([np.arange(len(numbers)), numbers, np.full(len(numbers), 7.5)])
        numbers[:, 2] = np.round(numbers[:, 2])
        same_data(*both(saved(numbers)), exact=False)
        same_data(*both(saved(numbers.astype(np.float32))), exact=False)
        same_data(*both(saved(numbers.astype(">f8"))), exact=False)

    def test_real_images(self, saved, images):
        same_data(*both(saved(images / 255)), exact=False)

    def test_copies_stay_on_one_side(self, saved, images):
        same_data(*both(saved(np.concatenate([images[:100]] * 5))))

    def test_another_seed_is_another_split(self, saved, images):
        path = saved(images)
        same_data(*both(path, seed=5))
        assert read(path, stream=True).fingerprint != read(path, stream=True, seed=5).fingerprint

    def test_parts_and_labels_of_an_archive(self, tmp_path, images):
        arrays = {"x_train": images[:400], "x_test": images[400:]}
        arrays |= {"y_train": np.arange(400) % 3, "y_test": np.arange(100) % 3}
        np.savez(tmp_path / "a.npz", **arrays)
        one, other = both(tmp_path / "a.npz")
        same_data(one, other)
        pairs = zip(one.train.x, one.train.label, strict=True)
        rows = {tuple(x.flatten().tolist()): int(y) for x, y in pairs}
        for x, y in zip(other.train.load().x, other.train.label, strict=True):
            assert rows[tuple(x.flatten().tolist())] == int(y)
        assert one.test.label_names == other.test.label_names == ("0", "1", "2")
        same_data(*both(f"{tmp_path / 'a.npz'}#x_train"))

    def test_safetensors(self, tmp_path, images):
        save_file({"x": images, "y": np.arange(500) % 4}, tmp_path / "a.safetensors")
        same_data(*both(tmp_path / "a.safetensors"))
        same_data(*both(f"{tmp_path / 'a.safetensors'}#x"))

    def test_a_folder_of_idx_files(self, tmp_path, images):
        for name, x in (("train", images[:400]), ("t10k", images[400:])):
            head = b"\0\0\x08\x03" + struct.pack(">3I", *x.shape)
            (tmp_path / f"{name}-images-idx3-ubyte").write_bytes(head + x.tobytes())
            labels = b"\0\0\x08\x01" + struct.pack(">I", len(x)) + bytes(len(x))
            (tmp_path / f"{name}-labels-idx1-ubyte").write_bytes(labels)
        same_data(*both(tmp_path))


@pytest.mark.usefixtures("small_blocks")
class TestStoredExamples:
    @pytest.fixture
    def train(self, saved, images) -> StoredExamples:
        return read(saved(images), stream=True).train

    def test_any_index_gives_the_rows_it_names(self, train):
        x = train.load().x
        places = torch.randint(0, len(train), (77,))
        assert torch.equal(train.batch(places).x, x[places])
        assert torch.equal(train.batch(slice(13, 55)).x, x[13:55])
        assert torch.equal(train.batch(slice(None, None, 7)).x, x[::7])
        assert torch.equal(train.batch(torch.tensor([-1, 0])).x, x[[-1, 0]])
        assert torch.equal(train.select(places).select(slice(3, 9)).load().x, x[places[3:9]])
        with pytest.raises(IndexError):
            train.batch(torch.tensor([len(train)]))

    def test_batches_give_every_example_once_and_can_be_begun_anywhere(self, train):
        x = train.load().x
        torch.manual_seed(4)
        whole = [batch.x for batch in train.batches(24)]
        assert [len(b) for b in whole] == [24] * (len(train) // 24) + [len(train) % 24]
        found = torch.cat(whole).flatten(1).double()
        assert torch.equal(
            found[np.lexsort(found.numpy().T)],
            x.flatten(1).double()[np.lexsort(x.flatten(1).double().numpy().T)],
        )
        for first in (1, 5, len(whole) - 1, len(whole)):
            torch.manual_seed(4)
            rest = [batch.x for batch in train.batches(24, first)]
            assert len(rest) == len(whole) - first
            assert all(torch.equal(a, b) for a, b in zip(whole[first:], rest, strict=True))

    def test_a_selection_is_shuffled_too(self, train):
        some = train.select(slice(0, 50))
        torch.manual_seed(0)
        whole = torch.cat([batch.x for batch in some.batches(8)])
        torch.manual_seed(0)
        assert torch.equal(torch.cat([batch.x for batch in some.batches(8, 2)]), whole[16:])
        assert not torch.equal(whole, some.load().x)
        assert torch.equal(whole.sum((1, 2, 3)).sort()[0], some.load().x.sum((1, 2, 3)).sort()[0])

    def test_what_does_not_fit_is_not_loaded(self, train, little_memory):
        with pytest.raises(DataError, match="do not fit in memory; ask for fewer"):
            train.select(torch.zeros(10_000, dtype=torch.int64)).load()

    def test_new_data_for_a_model_is_read_the_same(self, saved, images, numbers):
        for values in (images, numbers, images > 99):
            path = saved(values)
            schema = read(path, stream=False).schema
            one, _ = read_examples(path, schema, stream=False)
            other, _ = read_examples(path, schema, stream=True)
            assert isinstance(other, StoredExamples)
            assert torch.equal(one.x, other.load().x)


def test_large_data_is_left_on_disk_by_itself(saved, images, little_memory):
    assert not read(saved(images[:100])).stored
    large = saved(np.concatenate([images, images[::-1] // 2 + 1]), "large.npy")
    assert read(large).stored
    assert not read(large, stream=False).stored


REFUSED = {
    "column by column": lambda p: np.save(p / "x.npy", np.asfortranarray(np.ones((9, 4)))),
    "np.savez or np.save": lambda p: np.savez_compressed(p / "x.npz", np.ones((9, 4))),
    "holds pickled objects": lambda p: np.save(p / "x.npy", np.array([{}]), allow_pickle=True),
    "is truncated": lambda p: _cut(p / "x.npy", np.ones((90, 4))),
    "complex numbers": lambda p: np.save(p / "x.npy", np.ones((9, 4), complex)),
    "lowerbound data pack": lambda p: (p / "x.csv").write_text("a\n1\n2\n"),
    "header of 'x.safetensors' is broken": lambda p: _safe(p, {"x": {"dtype": "F32"}}),
    "'x.safetensors'#x is truncated": lambda p: _safe(
        p, {"x": {"dtype": "F32", "shape": [9, 4], "data_offsets": [0, 144]}}
    ),
    "of type BF16": lambda p: _safe(
        p, {"x": {"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]}}
    ),
    "is not a .safetensors file": lambda p: (p / "x.safetensors").write_bytes(b"\xff" * 99),
    "gunzip": lambda p: _idx(p),
}


def _cut(path: Path, values: np.ndarray) -> None:
    np.save(path, values)
    path.write_bytes(path.read_bytes()[:-8])


def _safe(folder: Path, header: dict) -> None:
    text = json.dumps(header).encode()
    (folder / "x.safetensors").write_bytes(len(text).to_bytes(8, "little") + text)


def _idx(folder: Path) -> None:
    (folder / "x").mkdir()
    name = "train-images-idx3-ubyte.gz"
    body = b"\0\0\x08\x03" + struct.pack(">3I", 20, 2, 2) + bytes(80)
    (folder / "x" / name).write_bytes(gzip.compress(body))


@pytest.mark.parametrize("words", REFUSED)
def test_what_cannot_be_left_on_disk_is_refused_with_the_remedy(tmp_path, words):
    REFUSED[words](tmp_path)
    (path,) = tmp_path.iterdir()
    with pytest.raises(DataError) as caught:
        read(path, stream=True)
    assert words in str(caught.value) and "\n" not in str(caught.value)


def test_a_false_archive_entry_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("x.npy", b"\x93NUMPY\x01\x00\x10\x00{'descr': '<f8',}")
    with pytest.raises(DataError, match=r"header of .* is broken"):
        read(tmp_path / "x.npz", stream=True)


def test_only_files_can_be_streamed():
    with pytest.raises(SettingError, match=r"np\.save"):
        read(np.ones((20, 2)), stream=True)


def test_a_file_that_changes_while_it_is_read_is_noticed(saved, images):
    path = saved(images)
    train = read(path, stream=True).train
    with path.open("r+b") as file:
        file.truncate(5000)
    with pytest.raises(DataError, match="was changed while it was being read"):
        list(train.batches(16))
