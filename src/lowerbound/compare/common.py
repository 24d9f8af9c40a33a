"""Examples that none of several runs was trained on."""

from collections.abc import Iterator, Sequence
from hashlib import blake2b
from typing import Any

import torch

from lowerbound.data import Data, Source, read_examples
from lowerbound.errors import DataError, LowerboundError, SettingError
from lowerbound.runs import Run
from lowerbound.runs.origin import read_again

#: Examples that are hashed at a time.
AT_ONCE = 4096


def common_held_out(runs: Sequence[Run], data: Any = None) -> tuple[Source, str, tuple[str, ...]]:
    """Choose the examples to compare on: held out from training and validation of every run.

    Of a `Data` the test part is taken; otherwise data are anything `read` takes, or the first run's
    own if None. A run's very own data is split as it was.

    Returns:
        Examples, their name, and notes for their owner.

    Raises:
        DataError: The data cannot be read, or does not fit.
        SettingError: No example is left.
    """
    known: dict[str, Data] = {}
    candidates, name, notes = _candidates(runs, data, known)
    keys = list(_keys(candidates))
    seen: set[bytes] = set()
    for run in runs:
        own = _own(run, known)
        if own is not None:
            seen.update(_keys(own.train), _keys(own.validation))
            continue
        notes.append(
            f"the data {run.path} was trained on cannot be read again: it may have seen some of "
            "these examples"
        )
    kept = torch.tensor([key not in seen for key in keys], dtype=torch.bool)
    left_out = len(keys) - int(kept.sum())
    if left_out == len(keys):
        raise SettingError(
            f"every example of {name} was in the training or validation part of one of the runs; "
            "name other data with --data DATA, or fit both with the same split"
        )
    if left_out:
        notes.append(
            f"{left_out:,} of {len(keys):,} examples were in the training or validation part of "
            "one of the runs and are left out"
        )
        candidates = candidates.select(kept.nonzero().flatten())
    return candidates, name, tuple(notes)


def _candidates(
    runs: Sequence[Run], data: Any, known: dict[str, Data]
) -> tuple[Source, str, list[str]]:
    first = runs[0]
    if isinstance(data, Data):
        known[data.fingerprint] = data
        if (data.schema.shape, data.schema.kind) != (first.schema.shape, first.schema.kind):
            raise DataError(
                f"the runs model {first.schema.describe()}, got {data.schema.describe()}; give "
                "data of the same kind"
            )
        return data.test, f"{data.source} (test)", []
    if data is None:
        own = read_again(first.path, first.spec)
        known[own.fingerprint] = own
        notes = []
        if own.fingerprint != first.spec.data.get("fingerprint"):
            notes.append(f"{own.source} has changed since {first.path} was trained")
        return own.test, f"{own.source} (test)", notes
    for run in runs:
        try:
            own = read_again(run.path, run.spec, data)
        except LowerboundError:
            continue
        if own.fingerprint == run.spec.data.get("fingerprint"):
            known[own.fingerprint] = own
            return own.test, f"{own.source} (test)", []
    examples, found = read_examples(data, first.schema)
    name = data if isinstance(data, str) else "the data"
    return examples, f"{name} (all)", [str(note) for note in found]


def _own(run: Run, known: dict[str, Data]) -> Data | None:
    """Return the very data that a run was trained on, or None if it is not there any more."""
    wanted = str(run.spec.data.get("fingerprint"))
    if wanted not in known:
        try:
            found = read_again(run.path, run.spec)
        except LowerboundError:
            return None
        known[found.fingerprint] = found
    return known.get(wanted)


def _keys(part: Source) -> Iterator[bytes]:
    """Hash the contents of each example, alike in either precision of reals."""
    for start in range(0, len(part), AT_ONCE):
        x = part.batch(slice(start, start + AT_ONCE)).x
        x = x.float() if x.is_floating_point() else x
        # -0.0 + 0.0 is 0.0: equal numbers have equal bytes
        for row in (x + 0).reshape(len(x), -1).contiguous().numpy():
            yield blake2b(row.data, digest_size=16).digest()
