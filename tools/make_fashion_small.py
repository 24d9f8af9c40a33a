"""Make fashion-small out of Fashion-MNIST: the images of each class with the smallest hashes.

    python tools/make_fashion_small.py FOLDER

FOLDER holds the four IDX files. The choice depends on the images alone (blake2b), so anybody can
make the same file again.
"""

import sys
from hashlib import blake2b
from pathlib import Path

import numpy as np

from lowerbound.data.read.idx import find_idx, read_idx

PER_CLASS = {"train": 600, "t10k": 100}
TARGET = Path(__file__).parent.parent / "src/lowerbound/data/embedded/fashion-small.npz"


def chosen(images: np.ndarray, labels: np.ndarray, per_class: int) -> np.ndarray:
    """Row numbers, in ascending order, of the `per_class` smallest hashes of every class."""
    hashes = np.array([blake2b(image.tobytes(), digest_size=16).hexdigest() for image in images])
    order = np.argsort(hashes, kind="stable")
    rows = [order[labels[order] == k][:per_class] for k in range(10)]
    return np.sort(np.concatenate(rows))


def main() -> None:
    files = find_idx(Path(sys.argv[1]))
    arrays = {}
    for part, per_class in PER_CLASS.items():
        images, labels = (next(read_idx(files[f"{part}-{what}"])) for what in ("images", "labels"))
        rows = chosen(images, labels, per_class)
        name = "test" if part == "t10k" else part
        arrays[f"{name}_images"], arrays[f"{name}_labels"] = images[rows], labels[rows]
    np.savez_compressed(TARGET, allow_pickle=False, **arrays)
    print(f"{TARGET}: {TARGET.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
