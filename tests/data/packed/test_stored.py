"""A file left on disk: the same schema, split and examples as in memory."""

import numpy as np
import pytest
import torch

from lowerbound.data import Data, StoredExamples, read, read_examples
from lowerbound.errors import DataError, SettingError


def in_order(part) -> torch.Tensor:
    """The examples of a part in an order of their own."""
    flat = part.load().x.reshape(len(part), -1).double()
    if part.observed is not None:
        flat = torch.cat([flat, part.observed.flatten(1).double()], dim=1)
    return flat[np.lexsort(flat.numpy().T)]


def same_data(one: Data, other: Data) -> None:
    """All that is known of two data sets, but for where the training examples are."""
    assert other.stored and isinstance(other.train, StoredExamples) and not one.stored
    assert torch.equal(in_order(one.train), in_order(other.train))
    assert torch.equal(one.validation.load().x, other.validation.load().x)
    assert torch.equal(one.test.load().x, other.test.load().x)
    assert one.split == other.split
    assert set(map(str, one.notes)) <= set(map(str, other.notes))
    assert one.schema == other.schema


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
        same_data(*both(saved(numbers)))
        same_data(*both(saved(numbers.astype(np.float32))))
        same_data(*both(saved(numbers.astype(">f8"))))

    def test_gaps(self, saved, numbers):
        numbers[np.random.default_rng(5).random(numbers.shape) < 0.1] = np.nan
        numbers[7, 1] = np.inf
        one, other = both(saved(numbers))
        same_data(one, other)
        torch.manual_seed(0)
        found = list(other.train.batches(24))
        assert all(batch.observed is not None for batch in found)
        assert sum(int((~batch.observed).sum()) for batch in found) == int(
            (~one.train.observed).sum()
        )

    def test_windows_of_sensors(self, saved):
        windows = np.random.default_rng(6).normal(size=(300, 12, 4)) * [1, 20, 300, 4e3]
        same_data(*both(saved(windows)))

    def test_codes_for_missing_cells_in_whole_numbers(self, saved, images):
        values = images.reshape(500, 30).astype(np.int64)
        values[499, 3] = 9999
        one, other = both(saved(values), gaps={"column 4": [9999]})
        same_data(one, other)
        assert one.schema.missing and one.schema.kind == "real"

    def test_counts(self, saved, images):
        same_data(*both(saved(images.reshape(500, 30).astype(np.int64) * 3)))

    def test_real_images(self, saved, images):
        same_data(*both(saved(images / 255)))

    def test_copies_stay_on_one_side(self, saved, images):
        same_data(*both(saved(np.concatenate([images[:100]] * 5))))

    def test_another_seed_is_another_split(self, saved, images):
        path = saved(images)
        same_data(*both(path, seed=5))
        assert read(path, stream=True).fingerprint != read(path, stream=True, seed=5).fingerprint


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


def test_a_file_that_cannot_be_read_in_parts_is_refused_with_the_remedy(tmp_path):
    for values, words in (
        (np.asfortranarray(np.ones((9, 4))), "columns first"),
        (np.ones((9, 4), complex), "complex128"),
        (np.array([{}]), "holds pickled objects"),
    ):
        np.save(tmp_path / "x.npy", values, allow_pickle=True)
        with pytest.raises(DataError, match=words) as caught:
            read(tmp_path / "x.npy", stream=True)
        assert "\n" not in str(caught.value)
    np.save(tmp_path / "x.npy", np.ones((90, 4)))
    (tmp_path / "x.npy").write_bytes((tmp_path / "x.npy").read_bytes()[:-8])
    with pytest.raises(DataError, match="is truncated"):
        read(tmp_path / "x.npy", stream=True)


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
