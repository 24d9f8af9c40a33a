"""What is left on disk takes a window of memory, whatever its size."""

import tracemalloc

import numpy as np

from lowerbound.data import read, rows
from lowerbound.data.packed import memory, window


def test_reading_and_an_epoch_take_a_window_and_not_the_file(tmp_path, monkeypatch):
    """40 MB through a window of 1 MB: what numpy allocates at most, held-out parts included."""
    monkeypatch.setattr(rows, "BLOCK_BYTES", 2**15)
    monkeypatch.setattr(window, "WINDOW_BYTES", 2**20)
    x = np.random.default_rng(0).integers(0, 256, (10_000, 4000), dtype=np.uint8)
    np.save(tmp_path / "x.npy", x)
    del x
    tracemalloc.start()
    try:
        data = read(tmp_path / "x.npy", stream=True)
        held = sum(part.load().x.nbytes for part in (data.validation, data.test))
        seen = sum(len(batch) for batch in data.train.batches(64))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert seen == len(data.train) == 8000
    # the window, a sketch of 10,000 hashes, and a held-out part twice while it is put in order
    assert peak < held + 2**20 + 8 * 2**20
    assert peak < 0.5 * 40e6


def test_the_memory_at_hand_is_known_and_a_share_of_it_is_too_big(monkeypatch):
    assert 2**20 < memory.available() < 2**50
    monkeypatch.setattr(memory, "available", lambda: 1000)
    assert memory.too_big(251) and not memory.too_big(250)
