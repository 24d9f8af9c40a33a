"""Commands started as two processes by torchrun, each with a time after which a hang fails."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

LIMIT = 90


class Ended(NamedTuple):
    code: int
    out: str
    err: str
    seconds: float

    @property
    def errors(self) -> list[str]:
        """Why the processes themselves say that they failed."""
        return [line for line in self.err.splitlines() if re.match("error: ", line)]


class Launched:
    """Two processes of one command.

    Args:
        folder: Where they run.
        words: The command, without the interpreter.
        restarts: How often torchrun may start them again.
    """

    def __init__(self, folder: Path, *words: object, restarts: int = 0) -> None:
        launcher = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2"]
        launcher += ["--rdzv-backend=c10d", "--rdzv-endpoint=localhost:0"]
        launcher += [f"--max-restarts={restarts}", "--monitor-interval=0.1"]
        self.began = time.monotonic()
        self.process = subprocess.Popen(
            [*launcher, *map(str, words)], cwd=folder, text=True, start_new_session=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env={**os.environ, "OMP_NUM_THREADS": "1", "TORCH_CPP_LOG_LEVEL": "ERROR"},
        )  # fmt: skip
        self.folder = folder

    def ended(self, within: float = LIMIT) -> Ended:
        """Wait for the end; more than `within` seconds are a failure."""
        since = time.monotonic()
        try:
            out, err = self.process.communicate(timeout=within)
        except subprocess.TimeoutExpired:
            for child in [*self.children(), self.process.pid]:
                os.kill(child, signal.SIGKILL)
            out, err = self.process.communicate()
            raise AssertionError(f"still running after {within} seconds: {out}{err}") from None
        return Ended(self.process.returncode, out, err, time.monotonic() - since)

    def children(self) -> list[int]:
        """The processes, by rank."""
        found = {}
        for entry in Path("/proc").iterdir():
            try:
                if entry.name.isdecimal() and self._is_mine(entry):
                    environment = (entry / "environ").read_bytes().split(b"\0")
                    ranks = [word for word in environment if word.startswith(b"RANK=")]
                    if ranks:
                        found[int(ranks[0][5:])] = int(entry.name)
            except OSError:
                continue
        return [found[rank] for rank in sorted(found)]

    def _is_mine(self, entry: Path) -> bool:
        parent = (entry / "stat").read_text().rpartition(")")[2].split()[1]
        return int(parent) == self.process.pid

    def until(self, epochs: int, run: str = "run") -> None:
        """Wait until the run has so many epochs and a state."""
        metrics, state = self.folder / run / "metrics.jsonl", self.folder / run / "state"
        deadline = time.monotonic() + LIMIT
        while time.monotonic() < deadline:
            enough = metrics.exists() and metrics.read_text().count("\n") >= epochs
            if enough and list(state.glob("*.json")):
                return
            if self.process.poll() is not None:
                raise AssertionError(f"ended too soon: {self.process.communicate()}")
            time.sleep(0.05)
        raise AssertionError(f"training did not begin: {self.ended(0)}")


@pytest.fixture(scope="session")
def launch() -> type[Launched]:
    """What starts two processes in a folder."""
    return Launched


@pytest.fixture
def launched(tmp_path: Path) -> Iterator[Callable[..., Launched]]:
    """Starts commands; what is still running when the test is over is killed."""
    begun: list[Launched] = []

    def launch(*words: object, restarts: int = 0) -> Launched:
        begun.append(Launched(tmp_path, *words, restarts=restarts))
        return begun[-1]

    yield launch
    for one in begun:
        if one.process.poll() is None:
            for child in [*one.children(), one.process.pid]:
                os.kill(child, signal.SIGKILL)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """2,000 rows of eight numbers."""
    rng = np.random.default_rng(0)
    path = tmp_path / "table.npy"
    np.save(path, (rng.normal(size=(2000, 8)) @ rng.normal(size=(8, 8))).astype("f4"))
    return path
