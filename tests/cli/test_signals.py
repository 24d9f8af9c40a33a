"""Ctrl-C and SIGTERM in a process of its own: the best weights are kept and load."""

import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

from lowerbound.cli.signals import AtOnce, StopOnSignal
from lowerbound.runs import load, load_state
from lowerbound.training import StopTraining

#: Also where the bound no longer gets better, which a fast machine finds out before the signal.
ENDLESS = ["--epochs", "1000000", "--set", "patience=1000000", "--set", "hidden=8"]
ENDLESS += ["--latents", "2", "--no-report"]


def started(data: Path, *more: str) -> subprocess.Popen:
    command = [sys.executable, "-m", "lowerbound.cli", "fit", str(data), "--out", "run", *ENDLESS]
    process = subprocess.Popen(
        [*command, *more], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        # a shell starts what runs in its background with Ctrl-C ignored, also these tests
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        metrics = Path("run/metrics.jsonl")
        if metrics.exists() and metrics.read_text().count("\n") >= 2:
            return process
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    process.kill()
    raise AssertionError("training did not begin")


@pytest.mark.parametrize(
    ("number", "code", "word"),
    [
        (signal.SIGINT, 130, "interrupted"),
        pytest.param(signal.SIGTERM, 143, "terminated", marks=pytest.mark.slow),
    ],
)
def test_a_signal_ends_training_in_good_order(
    place: Path, number: signal.Signals, code: int, word: str
) -> None:
    process = started(place / "table.csv")
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (code, "")
    assert "the best weights so far are in run" in err and "Traceback" not in err
    run = load("run")
    assert run.spec.result["stopped"] == word and len(run.history) >= 2
    assert "go on with: lowerbound fit --resume run" in err
    assert load_state("run").epochs == len(run.history)


def test_the_first_signal_waits_for_the_step_and_the_second_does_not() -> None:
    before = signal.getsignal(signal.SIGTERM)
    closed = []
    with StopOnSignal(first=lambda: closed.append(True)).listening() as stopper:
        stopper.on_step(None)
        os.kill(os.getpid(), signal.SIGTERM)
        assert (stopper.code, closed) == (143, [True])
        with pytest.raises(StopTraining, match="terminated"):
            stopper.on_step(None)
        with pytest.raises(AtOnce):
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(1)
    assert signal.getsignal(signal.SIGTERM) is before


def signalled(times: int):
    """Signals come during the first update."""

    def on_step(self, step) -> None:
        for _ in range(times):
            self.take(signal.SIGTERM, None)
        raise StopTraining("terminated")

    return on_step


def test_a_signal_before_the_first_epoch_is_over_leaves_a_state(
    lowerbound, place: Path, monkeypatch
) -> None:
    monkeypatch.setattr(StopOnSignal, "on_step", signalled(1))
    done = lowerbound("fit", place / "table.csv", "--out", "run", "--quiet", *ENDLESS)
    assert (done.code, done.out) == (143, "")
    assert done.err.splitlines()[-1].endswith("go on with: lowerbound fit --resume run")
    assert sorted(os.listdir("run")) == ["metrics.jsonl", "spec.json", "state"]
    assert "no weights yet" in lowerbound("evaluate", "run").err


def test_a_second_signal_before_anything_is_saved_leaves_nothing(
    lowerbound, place: Path, monkeypatch
) -> None:
    monkeypatch.setattr(StopOnSignal, "on_step", signalled(2))
    done = lowerbound("fit", place / "table.csv", "--out", "run", "--quiet", *ENDLESS)
    assert (done.code, done.out) == (143, "")
    assert "nothing" in done.err.splitlines()[-1]
    assert not list(Path().iterdir())


def test_on_a_terminal_of_eighty_columns_the_bar_fits(place: Path) -> None:
    reader, writer = pty.openpty()
    fcntl.ioctl(writer, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    command = ["fit", str(place / "table.csv"), "--out", "run", "--minutes", "0.03", *ENDLESS[2:]]
    clean = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "NO_COLOR")}
    process = subprocess.Popen(
        [sys.executable, "-m", "lowerbound.cli", *command],
        stderr=writer, stdout=subprocess.DEVNULL, env={**clean, "TERM": "xterm"},
    )  # fmt: skip
    os.close(writer)
    seen = b""
    while True:
        try:
            block = os.read(reader, 65536)
        except OSError:  # the other end is closed
            break
        if not block:
            break
        seen += block
    os.close(reader)
    assert process.wait() == 0
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", seen.decode())
    bars = [line for line in re.split(r"[\r\n]+", text) if "━" in line]
    assert any("distortion" in bar and "left" in bar for bar in bars)
    assert all(len(bar) <= 80 for bar in bars)
