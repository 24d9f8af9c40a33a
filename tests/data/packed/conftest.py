"""Blocks of a few rows and a window of a few blocks, so that small files have many."""

from pathlib import Path

import numpy as np
import pytest

from lowerbound.data import rows
from lowerbound.data.packed import memory, window


@pytest.fixture
def small_blocks(monkeypatch) -> None:
    """Blocks of 512 bytes, and 4 KiB of them open at a time."""
    monkeypatch.setattr(rows, "BLOCK_BYTES", 512)
    monkeypatch.setattr(rows, "FEWEST_ROWS", 1)
    monkeypatch.setattr(window, "WINDOW_BYTES", 4096)


@pytest.fixture
def little_memory(monkeypatch) -> None:
    """A machine with 64 KiB to spare."""
    monkeypatch.setattr(memory, "available", lambda: 2**16)


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    """A cache of its own for what is converted."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "lowerbound"


@pytest.fixture
def numbers() -> np.ndarray:
    """A table of reals whose columns differ in place and width."""
    generator = np.random.default_rng(0)
    return generator.normal(size=(1000, 5)) * [1, 2, 3, 40, 5e-3] + [0, 100, -3, 4, 1e3]


@pytest.fixture
def images() -> np.ndarray:
    """Bytes of 500 images of 6x5, none alike."""
    return np.random.default_rng(1).integers(0, 256, (500, 6, 5), dtype=np.uint8)


@pytest.fixture
def saved(tmp_path: Path):
    """A function that saves an array and says where."""

    def save(values: np.ndarray, name: str = "x.npy") -> Path:
        np.save(tmp_path / name, values)
        return tmp_path / name

    return save
