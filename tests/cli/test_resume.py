"""A run is never lost: killed at any moment it goes on to the weights it would have had."""

import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from lowerbound.runs import RunDirectory, load, load_state
from lowerbound.runs.lock import Lock

SMALL = ["--set", "hidden=8", "--latents", "2", "--set", "batch_size=24"]
PLAIN = ["table.csv", *SMALL, "--epochs", "3", "--set", "samples=2", "--set", "beta_warm_up=0.5"]
STOPS = ["table.csv", *SMALL, "--epochs", "40", "--set", "patience=2", "--set", "learning_rate=1"]


def rows(count: int, seed: int = 0) -> str:
    values = np.random.default_rng(seed).normal(size=(count, 3))
    return "a,b,c\n" + "".join(f"{a},{b + a},{c}\n" for a, b, c in values)


@pytest.fixture(autouse=True)
def table(in_an_empty_folder) -> None:
    Path("table.csv").write_text(rows(80))


def trained(plan: list) -> list[list[int]]:
    script = Path(__file__).with_name("kills.py")
    done = subprocess.run(
        [sys.executable, str(script)], input=json.dumps(plan), capture_output=True, text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"}, timeout=280,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def without_times(path: str) -> list[dict]:
    times = ("seconds", "examples_per_second")
    records = RunDirectory(path).read_metrics()
    return [{name: value for name, value in r.items() if name not in times} for r in records]


def assert_same(one: str, other: str) -> None:
    """The same to the last bit: the weights that are kept, and all that training ended with."""
    assert_equal(load_file(f"{one}/weights.safetensors"), load_file(f"{other}/weights.safetensors"))
    assert_equal(load_state(one).tensors, load_state(other).tensors)
    assert without_times(one) == without_times(other)
    first, second = (load(path).spec.result for path in (one, other))
    assert {**first, "seconds": 0} == {**second, "seconds": 0}


def assert_equal(one, other) -> None:
    assert set(one) == set(other)
    assert all(torch.equal(one[name], other[name]) for name in one)


def left_over(path: str) -> list[str]:
    """What a kill may have left behind."""
    kept = {"metrics.jsonl", "spec.json", "state", "weights.safetensors"}
    files = [name for name in os.listdir(f"{path}/state") if name.startswith(".")]
    return [*files, *(set(os.listdir(path)) - kept)]


def survives(arguments: list[str], kills: list[list]) -> list[list[int]]:
    """Train once, and once for each list of kills; all must end the same."""
    plan = [["whole", arguments, []]]
    plan += [[f"run{i}", arguments, chosen] for i, chosen in enumerate(kills)]
    codes = trained(plan)
    assert codes[0] == [0], Path("log").read_text()
    for i, found in enumerate(codes[1:]):
        assert found[-1] == 0, (kills[i], found, Path("log").read_text())
        assert_same("whole", f"run{i}")
        assert not left_over(f"run{i}")
    return codes[1:]


def test_a_run_killed_at_any_moment_goes_on_to_the_same_weights() -> None:
    # a save is two flushes and two renames for each of two files: these calls are all over a run
    calls = [["call", "replace", n] for n in (1, 2, 3, 6, 14, 26)]
    calls += [["call", "fsync", n] for n in (4, 13, 31)]
    kills = [[call] for call in calls] + [[["call", "replace", 12], ["call", "fsync", 9]]]
    codes = survives(PLAIN, kills)
    killed = sum(code == -signal.SIGKILL for found in codes for code in found)
    assert killed == len(calls) + 2, codes  # all of them hit


@pytest.mark.slow
def test_it_does_with_early_stopping_and_after_random_delays() -> None:
    chance = random.Random(1)
    kills = [[["after", chance.uniform(0, 0.15)] for _ in range(2)] for _ in range(2)]
    kills += [[["call", "replace", chance.randrange(10, 50)]]]
    survives(STOPS, kills)
    assert load("whole").spec.result["stopped"] == "patience"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["replace", "fsync", "chmod", "unlink"])
def test_every_single_file_operation_may_be_the_last(name: str) -> None:
    codes = survives(PLAIN, [[["call", name, n]] for n in range(1, 80)])
    assert sum(found[0] == -signal.SIGKILL for found in codes) > 20


@pytest.mark.slow
def test_twenty_random_kills_in_a_row_lose_nothing() -> None:
    chance = random.Random(2)
    arguments = ["table.csv", *SMALL, "--epochs", "60"]
    survives(arguments, [[["after", chance.uniform(0, 0.3)] for _ in range(20)] for _ in range(5)])


def test_a_run_that_another_process_trains_is_refused_before_its_data_is_read(lowerbound):
    assert lowerbound("fit", *PLAIN, "--out", "run", "--quiet", "--no-report").code == 0
    Path("table.csv").unlink()
    held = Lock(Path("run"))
    done = lowerbound("fit", "--resume", "run", "--epochs", 5)
    held.release()
    assert done.code == 1
    assert "run is being trained by another process; wait until it ends" in done.err
    missing = lowerbound("fit", "--resume", "run", "--epochs", 5)
    assert missing.code == 1 and "table.csv" in missing.err
