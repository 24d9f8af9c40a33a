"""One tar archive of samples: members with a common stem, one of which is the example."""

import io
import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from lowerbound.data.array_files import read_header
from lowerbound.data.pictures import extensions
from lowerbound.data.stored.flat import OpenFile, native
from lowerbound.data.stored.store import even_starts
from lowerbound.data.stored.tar import REMEDY, Member, members
from lowerbound.errors import DataError

#: A class is written in no more bytes than this.
LONGEST_CLASS = 1000


@dataclass(frozen=True)
class Index:
    """Where the samples of an archive lie.

    Attributes:
        ending: Of the members that are the examples, such as ".npy".
        places: Where each begins and how many bytes it has, int64 `(N, 2)`.
        names: What each member is called, if it is a picture; () otherwise.
        classes: What the `.cls` of each sample says; None where a sample has none.
        ignored: Endings of other members.
    """

    ending: str
    places: np.ndarray
    names: tuple[str, ...]
    classes: tuple[str, ...] | None
    ignored: tuple[str, ...]


def index_of(path: Path) -> Index:
    """Go through the headers of an archive once.

    Raises:
        DataError: It is damaged, holds no samples, or samples of different kinds.
    """
    known = {".npy", *extensions()}
    endings: dict[str, None] = {}
    samples: list[tuple[str, Member]] = []
    ending, stem, classes = None, None, []
    where = repr(path.name)
    seen: set[str] = set()
    with path.open("rb") as stream:
        for member in members(path):
            here, found = _divided(member.name)
            if here != stem:
                if here in seen:
                    raise DataError(
                        f"{where} has the members of {here!r} in different places; {REMEDY}"
                    )
                seen.add(here)
                stem = here
            if found == ".cls":
                stream.seek(member.offset)
                classes.append((here, stream.read(min(member.size, LONGEST_CLASS)).strip()))
                continue
            ending = found if ending is None and found in known else ending
            if found == ending:
                samples.append((here, member))
            else:
                endings[found] = None
    if ending is None:
        raise DataError(f"{where} holds no .npy and no picture; {REMEDY}")
    if len({stem for stem, _ in samples}) < len(samples) or len(samples) < len(seen):
        raise DataError(
            f"{where} has {len(seen)} samples and {len(samples)} members of kind {ending}; each "
            f"needs one; {REMEDY}"
        )
    labelled = [stem for stem, _ in classes] == [stem for stem, _ in samples]
    return Index(
        ending,
        np.array([(member.offset, member.size) for _, member in samples], np.int64),
        tuple(member.name for _, member in samples) if ending != ".npy" else (),
        tuple(text.decode("utf-8", "replace") for _, text in classes) if labelled else None,
        tuple(endings),
    )


def _divided(name: str) -> tuple[str, str]:
    """The stem up to the first dot of the last part of a name, and the ending from there."""
    folder, slash, last = name.rpartition("/")
    stem, dot, ending = last.partition(".")
    return f"{folder}{slash}{stem}", (dot + ending).lower()


@dataclass(frozen=True)
class Shard:
    """The arrays of an archive, each a member with one and the same `.npy` header.

    Args:
        path: The archive.
        places: Where each member begins and how many bytes it has, int64 `(N, 2)`.

    Raises:
        DataError: Members differ in size, or are no arrays of numbers.
    """

    path: Path
    places: np.ndarray
    shape: tuple[int, ...] = field(init=False)
    dtype: np.dtype = field(init=False)
    starts: np.ndarray = field(init=False, repr=False, compare=False)
    _head: bytes = field(init=False, repr=False)
    _file: OpenFile = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        file, size = OpenFile(self.path), int(self.places[0, 1])
        where = repr(self.path.name)
        other = np.flatnonzero(self.places[:, 1] != size)
        if len(other):
            raise DataError(
                f"the arrays of {where} differ in size, number {int(other[0]) + 1} from the first; "
                f"{REMEDY}"
            )
        body = np.empty(min(size, 2**16), np.uint8)
        file.read_into(body, int(self.places[0, 0]))
        stream = io.BytesIO(body.tobytes())
        shape, dtype, turned = read_header(stream, where)
        if turned and len(shape) > 1 and min(shape) > 1:
            raise DataError(f"the arrays of {where} lie column by column; {REMEDY}")
        row = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
        if stream.tell() + row != size or not row or dtype.kind not in "biuf":
            raise DataError(f"{where} holds members that are no plain arrays; {REMEDY}")
        found = {
            "shape": shape or (1,),
            "dtype": dtype,
            "starts": even_starts(len(self.places), size),
            "_head": body[: stream.tell()].tobytes(),
            "_file": file,
        }
        for name, value in found.items():
            object.__setattr__(self, name, value)

    @property
    def files(self) -> tuple[Path, ...]:
        """The archive."""
        return (self.path,)

    def read(self, start: int, stop: int) -> np.ndarray:
        """Rows `start` to `stop - 1`; their headers are compared with the first one."""
        places, size = self.places[start:stop, 0], int(self.places[0, 1])
        strides = np.diff(places)
        begin, end = int(places[0]), int(places[-1]) + size
        if end - begin > 8 * size * len(places) or (strides < size).any():
            return self.take(np.arange(start, stop))
        body = np.empty(end - begin, np.uint8)
        self._file.read_into(body, begin)
        if len(strides) and (strides == strides[0]).all():
            step = int(strides[0])
            whole = np.lib.stride_tricks.as_strided(body, (len(places), size), (step, 1))
        else:
            whole = np.stack([body[p - begin : p - begin + size] for p in places.tolist()])
        return self._rows(whole)

    def take(self, rows: np.ndarray) -> np.ndarray:
        """Any rows, one read each."""
        whole = np.empty((len(rows), int(self.places[0, 1])), np.uint8)
        for body, row in zip(whole, rows.tolist(), strict=True):
            self._file.read_into(body, int(self.places[row, 0]))
        return self._rows(whole)

    def _rows(self, whole: np.ndarray) -> np.ndarray:
        """From members `(N, size)`, header and all, to rows."""
        length = len(self._head)
        if (whole[:, :length] != np.frombuffer(self._head, np.uint8)).any():
            raise DataError(
                f"the arrays of {self.path.name!r} differ in shape or type, or it is damaged; "
                f"{REMEDY}"
            )
        plain = np.ascontiguousarray(whole[:, length:])
        return native(plain.view(self.dtype).reshape(len(whole), *self.shape))


def part_word(name: str) -> str:
    """The word that a shard's name begins with: "train" of train-000012.tar."""
    return re.split(r"[^a-z]+", name.lower())[0]
