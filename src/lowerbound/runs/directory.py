"""The directory of a run: its files, and the way in which an old one makes room for a new one."""

import json
import os
import re
import shutil
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from torch import Tensor

from lowerbound.errors import OutputError, RunError
from lowerbound.runs.files import cannot_write, write_atomically
from lowerbound.runs.lock import NAME as LOCK
from lowerbound.runs.lock import check_free
from lowerbound.runs.spec import Spec
from lowerbound.runs.state import StateDirectory
from lowerbound.runs.weights import read_weights, write_weights

#: Files and folders of a run; anything else in its directory is its owner's.
_OWN = {"spec.json", "weights.safetensors", "metrics.jsonl", "report.html", "state", LOCK}
#: Remains of a file that a process was writing when it was killed.
_LEFT = re.compile(
    r"\.(spec\.json|weights\.safetensors|prior\.safetensors|metrics\.jsonl|report\.html)\.|\.lock$"
)


class RunDirectory:
    """`spec.json`, `weights.safetensors`, `state/`, `metrics.jsonl` and `report.html` of one run.

    A run that replaces an old one is made beside it, as `NAME.new-NUMBER`, and takes its place
    when it has weights: whatever happens before leaves the old one where it is. Other files in the
    directory, such as a person's notes, stay there.

    Args:
        path: The directory; the attribute is its present name.
        keep: States of its training that are kept.
    """

    def __init__(self, path: str | os.PathLike[str], *, keep: int = 2) -> None:
        self._replaces: Path | None = None
        self._move(Path(path), keep)

    def _move(self, path: Path, keep: int) -> None:
        self.path = path
        self.state = StateDirectory(path / "state", keep)
        self.spec_path, self.report_path = path / "spec.json", path / "report.html"
        self.weights_path = path / "weights.safetensors"
        self.metrics_path = path / "metrics.jsonl"

    def is_run(self) -> bool:
        """Tell whether it holds a run, complete or not."""
        return self.spec_path.is_file()

    def check_free(self, *, force: bool = False) -> None:
        """Raise `OutputError` unless a new run may be made here.

        With `force` an old run may be replaced unless another process is training it; anything
        else that is here never is.
        """
        if os.path.lexists(self.path):
            if not self.path.is_dir():
                raise OutputError(f"{self.path} exists and is no directory; choose another --out")
            empty = all(_LEFT.match(path.name) for path in self.path.iterdir())
            if not empty and not force:
                raise OutputError(
                    f"{self.path} exists; choose another --out, or --force to replace it"
                )
            if not empty and not self.is_run():
                raise OutputError(
                    f"{self.path} holds something else than a run, and is left alone; choose "
                    "another --out"
                )
            check_free(self.path)  # a run that is being trained is not replaced under its trainer
        parent = self.path.absolute().parent
        while not parent.exists():
            parent = parent.parent
        if not parent.is_dir() or not os.access(parent, os.W_OK | os.X_OK):
            raise OutputError(f"cannot write {self.path}: {parent} is not writable")

    def create(self, spec: Spec, *, force: bool = False) -> None:
        """Begin a run. An old one stays in its place until the new one has weights of its own."""
        self.check_free(force=force)
        try:
            if self.is_run():
                self._replaces = self.path
                beside = self.path.with_name(f"{self.path.name}.new-{os.getpid()}")
                self._move(beside, self.state.keep)
            self.path.mkdir(parents=True, exist_ok=True)
            self.tidy()
            self.write_spec(spec)
            write_atomically(self.metrics_path, b"")
        except OSError as error:
            self.abandon()
            if isinstance(error, OutputError):
                raise
            raise cannot_write(self.path, error) from error

    def abandon(self) -> None:
        """Undo `create` for a run that got neither weights nor a state."""
        if self.weights_path.exists() or self.state.exists():
            return
        for path in (self.spec_path, self.metrics_path, self.report_path):
            with suppress(OSError):
                path.unlink()
        for path in (self.state.path, self.path):
            with suppress(OSError):
                path.rmdir()
        if self._replaces is not None:
            self._move(self._replaces, self.state.keep)
            self._replaces = None

    def write_spec(self, spec: Spec) -> None:
        """Write `spec.json`."""
        write_atomically(self.spec_path, spec.to_json())

    def write_weights(self, tensors: Mapping[str, Tensor]) -> None:
        """Write `weights.safetensors`; with the first ones a new run takes the place of an old."""
        write_weights(self.weights_path, tensors)
        if self._replaces is None:
            return
        here, there = self.path, self._replaces
        check_free(there)
        aside = there.with_name(f".{there.name}.old-{os.getpid()}")
        try:
            os.rename(there, aside)
            os.rename(here, there)
        except OSError as error:
            if aside.exists() and not there.exists():
                os.rename(aside, there)
            raise cannot_write(there, error) from error
        self._replaces = None
        self._move(there, self.state.keep)
        for path in aside.iterdir():
            if path.name not in _OWN and not _LEFT.match(path.name):
                with suppress(OSError):
                    os.rename(path, there / path.name)
        if all(path.name in _OWN or _LEFT.match(path.name) for path in aside.iterdir()):
            shutil.rmtree(aside, ignore_errors=True)

    def read_weights(self, expected: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Read `weights.safetensors`; see `lowerbound.runs.weights.read_weights`."""
        if self.state.exists() and not self.weights_path.exists():
            lost = "has lost its weights; have them written again from its state"
            early = "has no weights yet, no epoch was finished; go on"
            what = lost if self.read_metrics() else early
            raise RunError(f"{self.path} {what} with: lowerbound fit --resume {self.path}")
        try:
            return read_weights(self.weights_path, expected)
        except RunError as error:
            if not self.state.exists():
                raise
            what = str(error).partition(";")[0]
            raise RunError(
                f"{what}; have it written again from the run's state with: "
                f"lowerbound fit --resume {self.path}"
            ) from error

    def write_metrics(self, records: Iterable[Mapping[str, Any]]) -> None:
        """Write all of `metrics.jsonl`."""
        lines = "".join(json.dumps(record) + "\n" for record in records)
        write_atomically(self.metrics_path, lines.encode())

    def append_metrics(self, record: Mapping[str, Any]) -> None:
        """Add one line to `metrics.jsonl`."""
        try:
            with self.metrics_path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(record) + "\n")
        except OSError as error:
            raise cannot_write(self.metrics_path, error) from error

    def read_metrics(self) -> list[dict[str, Any]]:
        """Read all whole lines of `metrics.jsonl`; a last one cut short by a kill is left out."""
        if not self.metrics_path.is_file():
            return []
        records = []
        for line in self.metrics_path.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                record = json.loads(line)
            except (ValueError, RecursionError):
                continue
            if isinstance(record, dict):
                records.append(record)
        return records

    def tidy(self) -> None:
        """Remove files that were being written when a process was killed."""
        for path in self.path.iterdir():
            if _LEFT.match(path.name) and path.name != LOCK:
                with suppress(OSError):
                    path.unlink()

    def read_spec(self) -> Spec:
        """Read `spec.json`."""
        if not self.path.is_dir():
            what = "is not the directory of a run" if self.path.exists() else "does not exist"
            raise RunError(
                f"{self.path} {what}; fit one with: lowerbound fit DATA --out {self.path}"
            )
        if not self.is_run():
            raise RunError(f"{self.path} has no spec.json: it is not a run of lowerbound")
        return Spec.read(self.spec_path)
