"""One small run that all tests of commands look at, and a way to run a command in this process."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from lowerbound.cli import main

TINY = ["--epochs", "1", "--set", "hidden=8", "--latents", "3", "--no-report"]


class Done(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def lowerbound(capfd) -> Callable[..., Done]:
    def run(*arguments: object) -> Done:
        capfd.readouterr()
        code = main([str(argument) for argument in arguments])
        return Done(code, *capfd.readouterr())

    return run


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")


@pytest.fixture(scope="session")
def place(tmp_path_factory) -> Path:
    """A folder with a run on images, one on a table, and their data."""
    folder = tmp_path_factory.mktemp("runs")
    generator = np.random.default_rng(0)
    images = generator.integers(0, 2, (64, 6, 5), dtype=np.uint8)
    np.save(folder / "images.npy", images)
    rows = "".join(f"{a},7,{b}\n" for a, b in generator.normal(size=(64, 2)))
    (folder / "table.csv").write_text('[red]a,k,"b,c"\n' + rows)
    for name in ("images.npy", "table.csv"):
        out = folder / Path(name).stem
        code = main(["fit", str(folder / name), "--out", str(out), "--quiet", *TINY])
        assert code == os.EX_OK
    return folder


@pytest.fixture(scope="session")
def images(place: Path) -> Path:
    return place / "images"


@pytest.fixture(scope="session")
def table(place: Path) -> Path:
    return place / "table"
