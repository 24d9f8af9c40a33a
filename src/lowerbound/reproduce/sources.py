"""The data of each entry, in the split of its source."""

from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lowerbound.data import Data, Examples, Field, Raw, Reading, Schema, arranged, build, named_sets
from lowerbound.data.raw import TEST, TRAIN, VALIDATION
from lowerbound.data.rows import ArrayRows
from lowerbound.errors import DataError, SettingError
from lowerbound.reproduce.entry import Source

#: Files of the Penn Treebank as Mikolov prepared it, and their sentences.
TREEBANK = {"train": 42_068, "valid": 3_370, "test": 3_761}
#: Training images that are looked at only, as in the authors' own code.
LOOKED_AT = 400
HOW_STATIC = (
    "give --data FOLDER with binarized_mnist_train.amat, binarized_mnist_valid.amat and "
    "binarized_mnist_test.amat (Larochelle's files), or --data FILE.npz with arrays train, valid "
    "and test of 0 and 1, bit-packed or not"
)
PIXELS = 784


def load(source: Source, path: str | Path | None = None) -> Data:
    """Load the data of an entry, ready to train on.

    `path` is a folder of MNIST's four IDX files, or what holds the static binarisation. Without it
    MNIST is looked for, and fetched, as `read("mnist")` does.
    """
    if path is not None and source in _PACKAGED:
        raise SettingError(f"{source} comes with scikit-learn; leave --data out")
    return _LOADERS[source](None if path is None else Path(path).expanduser())


def _mnist(path: Path | None) -> Raw:
    (known,) = (named for named in named_sets() if named.name == "mnist")
    return arranged(known.load(path), Reading())


def _dynamic(path: Path | None, looked_at: int = LOOKED_AT) -> Data:
    raw = _mnist(path)
    if raw.part is None or (raw.part == TRAIN).sum() != 60_000:
        raise DataError(
            f"{raw.where} has not the 60,000 and 10,000 images of MNIST; give its files with "
            "--data FOLDER"
        )
    part = raw.part.copy()
    part[np.flatnonzero(part == TRAIN)[-looked_at:]] = VALIDATION
    return build(Raw(raw.where, raw.rows, part=part), binarize="dynamic")


def _static(path: Path | None) -> Data:
    if path is None or not path.exists():
        what = "" if path is None else f" in {str(path)!r}"
        raise DataError(f"the static binarisation of MNIST is not at hand{what}; {HOW_STATIC}")
    parts = _amat(path) if path.is_dir() else _packed(path)
    for name, count in (("train", 50_000), ("valid", 10_000), ("test", 10_000)):
        if parts[name].shape != (count, PIXELS):
            raise DataError(
                f"{str(path)!r}: {name} is {parts[name].shape}, not ({count}, {PIXELS}); "
                f"{HOW_STATIC}"
            )
    values = np.concatenate([parts[name] for name in ("train", "valid", "test")])
    part = np.repeat([TRAIN, VALIDATION, TEST], [50_000, 10_000, 10_000]).astype(np.int8)
    return build(
        Raw("mnist, static binarisation", ArrayRows(values.reshape(-1, 1, 28, 28)), part=part)
    )


def _amat(folder: Path) -> dict[str, np.ndarray]:
    found = {}
    for name in ("train", "valid", "test"):
        path = folder / f"binarized_mnist_{name}.amat"
        if not path.is_file():
            raise DataError(f"no {path.name} in {str(folder)!r}; {HOW_STATIC}")
        bits = np.frombuffer(path.read_bytes(), np.uint8)
        bits = bits[(bits == ord("0")) | (bits == ord("1"))] - ord("0")
        found[name] = bits.reshape(-1, PIXELS) if len(bits) % PIXELS == 0 else bits[None]
    return found


def _packed(path: Path) -> dict[str, np.ndarray]:
    try:
        archive = np.load(path, allow_pickle=False)
        if not isinstance(archive, np.lib.npyio.NpzFile):
            raise ValueError("it is one array, not an .npz of three")
        with archive:
            arrays = {name: archive[name] for name in ("train", "valid", "test")}
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"cannot read {str(path)!r}: {error}; {HOW_STATIC}") from error
    flat = {name: a.reshape(len(a), -1) for name, a in arrays.items()}
    return {
        name: np.unpackbits(a, axis=1) if a.shape[1] == PIXELS // 8 else a
        for name, a in flat.items()
    }


def _iris(path: Path | None) -> Data:
    return _rows(_sklearn("iris"), "iris")


def _breast_cancer(path: Path | None) -> Data:
    x = _sklearn("breast_cancer")
    return _rows((x - x.mean(dim=0)) / x.std(dim=0, correction=0), "breast cancer, standardised")


def _digits(path: Path | None) -> Data:
    return _rows(_sklearn("digits") / 16, "digits, from 0 to 1")


def _sklearn(name: str) -> torch.Tensor:
    from sklearn import datasets

    found: Any = getattr(datasets, f"load_{name}")()
    return torch.tensor(found.data, dtype=torch.float64)


def _pixels(path: Path | None) -> Data:
    raw = _mnist(path)
    train = raw.values if raw.part is None else raw.values[raw.part == TRAIN]
    x = torch.from_numpy(train.reshape(len(train), -1).astype(np.float32)) / 255
    return _rows(x, "mnist, from 0 to 1")


def _rows(x: torch.Tensor, name: str) -> Data:
    """Take all rows as training and test: the maximum of a likelihood is one of these alone."""
    rows, width = Examples(x), x.shape[1]
    location, unit = x.double().mean(dim=0), float(x.double().std())
    field = Field("x", "real", (width,), mean=tuple(location.tolist()), scale=(unit,) * width)
    schema = Schema(
        (field,), (width,), precision="float64" if x.dtype == torch.float64 else "float32"
    )
    return Data(schema, rows, Examples(x[:LOOKED_AT]), rows, source=name)


def _ptb(path: Path | None) -> Data:
    names = [f"ptb.{part}.txt" for part in TREEBANK]
    how = f"give --data FOLDER with {names[0]}, {names[1]} and {names[2]} (Mikolov's files)"
    if path is None or not all((path / name).is_file() for name in names):
        raise DataError(f"the Penn Treebank is not at hand; {how}")
    texts = [
        [line.split() for line in (path / name).read_text("utf-8").splitlines() if line.strip()]
        for name in names
    ]
    counts = dict(zip(TREEBANK, map(len, texts), strict=True))
    if counts != TREEBANK:
        raise DataError(f"{str(path)!r} has {counts} sentences, not {TREEBANK}; {how}")
    known = Counter(word for text in texts[0] for word in text)
    codes = {word: code for code, (word, _) in enumerate(known.most_common(), 1)}
    width = max(len(text) for part in texts for text in part) + 1
    parts: list[Examples] = []
    for part in texts:
        rows = np.zeros((len(part), width), np.int32)
        for row, text in zip(rows, part, strict=True):
            row[: len(text)] = [codes.get(word, codes["<unk>"]) for word in text]
        lengths = torch.tensor([len(text) + 1 for text in part])
        parts.append(Examples(torch.from_numpy(rows), lengths=lengths, token="word"))
    schema = Schema((Field("text", "byte", (width,), len(codes) + 1),), (width,))
    return Data(schema, *parts, source="ptb")


#: Sources that need no path.
_PACKAGED = ("iris", "breast-cancer", "digits")
_LOADERS: dict[Source, Callable[[Path | None], Data]] = {
    "mnist-dynamic": _dynamic,
    "mnist-dynamic-50000": partial(_dynamic, looked_at=10_000),
    "mnist-static": _static,
    "mnist-pixels": _pixels,
    "iris": _iris,
    "breast-cancer": _breast_cancer,
    "digits": _digits,
    "ptb": _ptb,
}
