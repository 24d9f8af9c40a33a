"""`state/`: the last few states of a training, each whole or not there at all."""

import hashlib
import json
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from lowerbound.errors import RunError
from lowerbound.runs.files import cannot_write, write_atomically

_FORMAT = "lowerbound-state"
#: The format of a state that this version writes.
STATE_VERSION = 1
#: A record larger than this is none.
_MOST_BYTES = 256 * 2**20
_OURS = re.compile(r"\.?(\d{8})\.(json|safetensors)(\..*)?")


class StateDirectory:
    """States in the order in which they were saved: `00000001.safetensors`, `00000001.json`, ...

    The tensors are written first and the record that names them, with their sha256, after them:
    a state is there when its record is. Each is written under another name, flushed and renamed.

    Args:
        path: The directory; made by the first `save`.
        keep: States that are kept, at least 1.
    """

    def __init__(self, path: Path, keep: int = 2) -> None:
        self.path, self.keep = path, max(1, keep)
        self._good = self._numbers()

    def exists(self) -> bool:
        """Tell whether there is a state, whole or damaged."""
        return bool(self._numbers())

    def save(self, tensors: Mapping[str, Tensor], values: Mapping[str, Any]) -> None:
        """Write a state, contiguous tensors on the CPU and JSON values; remove those too old.

        If it cannot be written, the states saved before are as they were.
        """
        try:
            self.path.mkdir(exist_ok=True)
        except OSError as error:
            raise cannot_write(self.path, error) from error
        number = max(self._numbers(), default=0) + 1
        contents = save(dict(tensors), {"format": _FORMAT})
        text = json.dumps(dict(values))
        record = {
            "format": _FORMAT,
            "format_version": STATE_VERSION,
            "tensors": hashlib.sha256(contents).hexdigest(),
            "sha256": hashlib.sha256(text.encode()).hexdigest(),
            "values": text,
        }
        try:
            write_atomically(self._file(number, "safetensors"), contents)
            write_atomically(self._file(number, "json"), (json.dumps(record) + "\n").encode())
        except BaseException:
            with suppress(OSError):
                self._file(number, "safetensors").unlink()
            raise
        self._good = [*self._good, number][-self.keep :]
        self._tidy()

    def keep_last(self, count: int) -> None:
        """Remove all states but the last few."""
        self._good = self._numbers()[-count:] if count else []
        self._tidy()
        with suppress(OSError):
            self.path.rmdir()  # where nothing is left

    def size(self) -> int:
        """Count the bytes that the states take."""
        return sum(path.stat().st_size for path in self._files())

    def load(self) -> tuple[dict[str, Tensor], dict[str, Any], tuple[str, ...]]:
        """Load the newest state that is whole.

        Returns:
            Its tensors by name, on the CPU; its values; and a sentence for each newer one that is
            damaged.
        """
        numbers, notes = self._numbers(), []
        for number in reversed(numbers):
            try:
                tensors, values = self._read(number)
            except (RunError, OSError) as error:
                notes.append(f"{error}; the state saved before it is used")
                continue
            self._good = [other for other in numbers if other <= number]
            return tensors, values, tuple(notes)
        if notes:
            raise RunError(
                f"every state in {self.path} is damaged: nothing to go on from; restore one, or "
                "fit again"
            )
        raise RunError(
            f"{self.path.parent} has no state to go on from; begin anew, with its weights if it "
            f"has some: lowerbound fit DATA --from {self.path.parent}"
        )

    def _read(self, number: int) -> tuple[dict[str, Tensor], dict[str, Any]]:
        path = self._file(number, "json")
        if path.stat().st_size > _MOST_BYTES:
            raise RunError(f"{path} is too large for a record")
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            if record["format"] != _FORMAT:
                raise RunError(f"{path} was not written by lowerbound")
            version, text, digest = record["format_version"], record["values"], record["tensors"]
            if version != STATE_VERSION:
                raise RunError(f"{path} has format version {version!r:.20}, not {STATE_VERSION}")
            if hashlib.sha256(text.encode()).hexdigest() != record["sha256"]:
                raise RunError(f"{path} is damaged: its checksum is wrong")
            values = json.loads(text)
        except RunError:
            raise
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise RunError(f"{path} is truncated or damaged") from error
        path = self._file(number, "safetensors")
        if not path.is_file():
            raise RunError(f"{path} is missing")
        contents = path.read_bytes()
        if hashlib.sha256(contents).hexdigest() != digest:
            raise RunError(f"{path} is damaged: its checksum is wrong")
        try:
            return load(contents), values
        except (SafetensorError, ValueError, KeyError, RuntimeError) as error:
            raise RunError(f"{path} is damaged") from error

    def _numbers(self) -> list[int]:
        """List the numbers of all states with a record, ascending."""
        found = (re.fullmatch(r"(\d{8})\.json", path.name) for path in self._files())
        return sorted(int(match.group(1)) for match in found if match)

    def _files(self) -> list[Path]:
        return list(self.path.iterdir()) if self.path.is_dir() else []

    def _file(self, number: int, suffix: str) -> Path:
        return self.path / f"{number:08}.{suffix}"

    def _tidy(self) -> None:
        """Remove files that are too old, damaged, or were being written at a kill."""
        for path in self._files():
            match = _OURS.fullmatch(path.name)
            if match and (int(match.group(1)) not in self._good or match.group(3)):
                with suppress(OSError):
                    path.unlink()
