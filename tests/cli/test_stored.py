"""Data on disk through the commands: found, trained on, killed, taken up, evaluated, encoded."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from lowerbound.data.packed import memory

TINY = ["--epochs", "2", "--set", "hidden=8", "--latents", "3", "--set", "batch_size=24"]


@pytest.fixture(autouse=True)
def scans(in_an_empty_folder, monkeypatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(Path("cache").absolute()))
    images = np.random.default_rng(0).integers(0, 256, (300, 6, 5), dtype=np.uint8)
    np.save("scans.npy", images)


def test_data_says_that_it_stays_on_disk(lowerbound, monkeypatch):
    assert "stay on disk" in lowerbound("data", "scans.npy", "--stream").out
    assert "stay on disk" not in lowerbound("data", "scans.npy").out
    monkeypatch.setattr(memory, "available", lambda: 1000)
    assert "stay on disk" in lowerbound("data", "scans.npy").out
    assert json.loads(lowerbound("data", "scans.npy", "--json").out)["stored"]
    assert not json.loads(lowerbound("data", "scans.npy", "--json", "--no-stream").out)["stored"]


def test_the_whole_way(lowerbound):
    assert lowerbound("fit", "scans.npy", "--stream", "--out", "run", *TINY).code == 0
    assert Path("run/report.html").exists()
    spec = json.loads(Path("run/spec.json").read_text())
    assert spec["data"]["options"] == {"stream": True}
    assert lowerbound("evaluate", "run", "--samples", "3").code == 0
    own = lowerbound("evaluate", "run", "--samples", "3", "--data", "scans.npy", "--split", "train")
    assert own.code == 0, own.err
    assert lowerbound("encode", "run", "scans.npy", "--out", "z.npy").code == 0
    assert np.load("z.npy").shape == (300, 3)
    assert lowerbound("reconstruct", "run", "--out", "r.png").code == 0
    assert lowerbound("interpolate", "run", "--from", "0", "--to", "1", "--out", "i.png").code == 0
    assert lowerbound("doctor", "run").code in (0, 1)
    assert lowerbound("fit", "--resume", "run", "--epochs", "3", "--no-report").code == 0


def test_encode_of_data_on_disk_is_that_of_data_in_memory(lowerbound, monkeypatch):
    lowerbound("fit", "scans.npy", "--out", "run", "--no-report", *TINY)
    assert lowerbound("encode", "run", "scans.npy", "--out", "a.npy").code == 0
    monkeypatch.setattr(memory, "available", lambda: 1000)
    assert lowerbound("encode", "run", "scans.npy", "--out", "b.npy").code == 0
    assert np.array_equal(np.load("a.npy"), np.load("b.npy"))


def test_changed_data_is_noticed_when_a_run_is_taken_up(lowerbound):
    lowerbound("fit", "scans.npy", "--stream", "--out", "run", "--no-report", *TINY)
    np.save("scans.npy", np.load("scans.npy")[::-1])
    done = lowerbound("fit", "--resume", "run", "--epochs", "3")
    assert done.code == 1 and "has changed since" in done.err


def test_rows_are_packed_and_trained_on(lowerbound):
    done = lowerbound("data", "pack", "scans.npy", "rows")
    assert done.code == 0 and done.out.strip() == "rows"
    assert "300 examples, 0.0 MiB" in done.err
    assert lowerbound("fit", "rows", "--stream", "--out", "run", "--no-report", *TINY).code == 0
    again = lowerbound("data", "pack", "scans.npy", "rows")
    assert again.code == 1 and "holds other things" in again.err
    assert lowerbound("data", "pack", "scans.npy").code == 2
    content = Path("rows/rows.npy").read_bytes()
    Path("rows/rows.npy").write_bytes(content[:-100])
    assert "is truncated" in lowerbound("fit", "--resume", "run", "--epochs", "3").err


@pytest.mark.slow
def test_killed_inside_an_epoch_it_goes_on_to_the_same_weights():
    """Processes that are killed at the 9th, 30th and 51st rename, of which an epoch has ten."""
    plan = [
        ["whole", ["scans.npy", "--stream", *TINY], []],
        ["killed", ["scans.npy", "--stream", *TINY], [["call", "replace", n] for n in (9, 30, 12)]],
    ]
    script = Path(__file__).with_name("kills.py")
    done = subprocess.run(
        [sys.executable, str(script)], input=json.dumps(plan), capture_output=True, text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"}, timeout=200,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    codes = json.loads(done.stdout)
    assert codes[1][:2] == [-9, -9] and codes[1][-1] == 0
    one, other = (load_file(f"{name}/weights.safetensors") for name in ("whole", "killed"))
    assert all(np.array_equal(one[name], other[name]) for name in one)
