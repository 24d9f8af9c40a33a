"""A server as a process: it finishes what it began, and leaves the run as it was."""

import hashlib
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import numpy as np
import pytest

pytest.importorskip("uvicorn")
import httpx2 as httpx

from lowerbound.cli import main


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A run of a moment's training."""
    folder = tmp_path_factory.mktemp("served")
    np.save(folder / "x.npy", np.random.default_rng(0).normal(size=(60, 3)))
    tiny = ["--epochs", "1", "--set", "hidden=8", "--latents", "2", "--quiet", "--no-report"]
    assert main(["fit", str(folder / "x.npy"), "--out", str(folder / "run"), *tiny]) == 0
    return folder / "run"


@contextmanager
def serving(*words):
    process = subprocess.Popen(
        [sys.executable, "-m", "lowerbound.cli", *map(str, words)], text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    try:
        yield process, process.stdout.readline().strip()
    finally:
        process.kill()
        process.communicate()


def _contents(place):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest()
            for path in place.rglob("*") if path.is_file()}  # fmt: skip


def _waiting(address):
    return int(httpx.get(f"{address}metrics", timeout=60).text.split()[1])


def test_sigterm_ends_a_server_which_answers_what_it_began(place):
    before = _contents(place)
    with serving("serve", place, "--port", "0") as (process, address):
        rows = np.random.default_rng(1).normal(size=(100, 3)).tolist()
        body, answers = {"examples": rows, "samples": 20}, []

        def ask():
            found = httpx.post(f"{address}api/score", json=body, timeout=120)
            answers.append((found.status_code, len(found.json()["elbo"])))

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        while _waiting(address) < 4 and not answers:
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        for thread in threads:
            thread.join(120)
        code, err = process.wait(60), process.stderr.read()
    assert answers == [(200, 100)] * 4
    assert code in (0, -signal.SIGTERM) and "Traceback" not in err
    assert _contents(place) == before


@pytest.mark.slow
def test_a_server_that_is_killed_leaves_the_run_untouched(place):
    before = _contents(place)
    with serving("explore", place, "--no-browser") as (process, address):
        token = address.partition("=")[2]
        found = httpx.get(address.partition("?")[0] + f"api/map?token={token}", timeout=120)
        assert found.status_code == 200
        process.kill()
        process.wait()
    assert _contents(place) == before


@pytest.mark.slow
def test_a_run_that_is_damaged_ends_the_server_with_one_line(place, tmp_path):
    bad = tmp_path / "bad"
    bad.mkdir()
    (bad / "spec.json").write_bytes((place / "spec.json").read_bytes())
    with serving("explore", bad, "--no-browser") as (process, _):
        assert process.wait(120) == 1
        err = process.stderr.read().strip().splitlines()
    assert "Traceback" not in err and "weights" in err[-1]
