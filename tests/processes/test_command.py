"""Commands under torchrun: one writes and prints, and whatever happens to one ends all in time."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from lowerbound.cli import main
from lowerbound.runs import load, load_state

CLI = ["-m", "lowerbound.cli"]
SMALL = ["--set", "hidden=8", "--latents", "2", "--no-report"]
ENDLESS = ["--out", "run", "--epochs", "100000", "--save-every", "0.2", *SMALL]


def alone(folder: Path, *words: object) -> subprocess.CompletedProcess:
    command = [sys.executable, *CLI, *map(str, words)]
    done = subprocess.run(command, cwd=folder, text=True, capture_output=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done


def bounds(run: Path) -> list[float]:
    lines = (run / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line)["held_out"]["bound"] for line in lines]


@pytest.mark.slow
def test_a_fit_by_two_is_that_of_one(launched, table: Path, tmp_path: Path, capfd) -> None:
    fit = ["fit", table, "--epochs", "2", *SMALL, "--out"]
    two = launched(*CLI, *fit, "two", "--json").ended()
    assert two.code == 0, two.err
    assert main([*map(str, fit), str(tmp_path / "one"), "--json"]) == 0
    one = json.loads(capfd.readouterr().out)
    said = json.loads(two.out)  # once, by one of them
    assert bounds(tmp_path / "two") == pytest.approx(bounds(tmp_path / "one"), abs=1e-5)
    measured = [one["evaluation"]["elbo"]["mean"], said["evaluation"]["elbo"]["mean"]]
    assert measured[0] == pytest.approx(measured[1], abs=1e-5)
    assert two.err.count("saved in two") == 1
    assert load_state(tmp_path / "two").epochs == 2


@pytest.mark.parametrize("victim", [pytest.param(0, marks=pytest.mark.slow), 1])
def test_where_one_is_killed_the_other_ends_with_one_line(launched, table, victim: int) -> None:
    fit = launched(*CLI, "fit", table, *ENDLESS)
    fit.until(1)
    os.kill(fit.children()[victim], signal.SIGKILL)
    ended = fit.ended(within=45)
    assert ended.code == 1 and ended.seconds < 40
    (line,) = ended.errors
    assert "lost the other processes" in line


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_one_ends_all_in_good_order(
    launched, table, tmp_path: Path, number: signal.Signals
) -> None:
    fit = launched(*CLI, "fit", table, *ENDLESS)
    fit.until(1)
    os.kill(fit.children()[1], number)
    ended = fit.ended(within=45)
    assert not ended.errors
    assert "go on with: lowerbound fit --resume run" in ended.err
    word = {signal.SIGTERM: "terminated", signal.SIGINT: "interrupted"}[number]
    run = load(tmp_path / "run")
    assert run.spec.result["stopped"] == word
    assert load_state(tmp_path / "run").epochs == len(run.history)


@pytest.mark.slow
def test_a_signal_to_the_launcher_does_too(launched, table, tmp_path: Path) -> None:
    fit = launched(*CLI, "fit", table, *ENDLESS)
    fit.until(1)
    os.kill(fit.process.pid, signal.SIGTERM)
    ended = fit.ended(within=45)
    assert not ended.errors
    assert load(tmp_path / "run").spec.result["stopped"] == "terminated"


@pytest.mark.slow
def test_started_anew_they_go_on_from_the_last_state(launched, table, tmp_path: Path) -> None:
    fit = launched(*CLI, "fit", table, *ENDLESS[:3], "20", *ENDLESS[4:], restarts=1)
    fit.until(2)
    os.kill(fit.children()[1], signal.SIGKILL)
    ended = fit.ended()
    assert ended.code == 0, ended.err
    assert "going on with run after" in ended.err
    alone(tmp_path, "fit", table, "--out", "one", "--epochs", "20", *SMALL)
    assert bounds(tmp_path / "run") == pytest.approx(bounds(tmp_path / "one"), abs=1e-4)


@pytest.mark.slow
def test_one_that_stands_still_is_given_up(launched, table) -> None:
    fit = launched(*CLI, "fit", table, *ENDLESS)
    fit.until(1)
    still = fit.children()[1]
    os.kill(still, signal.SIGSTOP)
    since = time.monotonic()
    while len(fit.children()) > 1 and time.monotonic() - since < 60:
        time.sleep(0.5)
    assert time.monotonic() - since < 45  # the other one has ended; torchrun waits for this one
    os.kill(still, signal.SIGKILL)
    (line,) = fit.ended(within=60).errors
    assert "process 1 of 2 has given no sign of life" in line


@pytest.mark.slow
def test_what_one_finds_wrong_ends_all_with_its_line(launched, table, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    ended = launched(*CLI, "fit", table, "--out", "taken", "--epochs", "1", *SMALL).ended(45)
    (line,) = ended.errors
    assert "taken exists and is no directory" in line


@pytest.mark.slow
def test_evaluate_encode_and_generate_say_the_same(launched, table, tmp_path: Path) -> None:
    alone(tmp_path, "fit", table, "--out", "run", "--epochs", "1", *SMALL)
    for words, out in (
        (["evaluate", "run", "--samples", "20", "--json"], None),
        (["encode", "run", table, "--force", "--out", "z.npy"], "z.npy"),
        (["generate", "run", "-n", "700", "--seed", "3", "--force", "--out", "x.npy"], "x.npy"),
    ):
        one = alone(tmp_path, *words).stdout
        kept = None if out is None else np.load(tmp_path / out)
        two = launched(*CLI, *words).ended()
        assert (two.code, two.out) == (0, one)
        if kept is not None:
            assert np.array_equal(np.load(tmp_path / out), kept)


@pytest.mark.slow
def test_any_other_command_is_run_once(launched, table, tmp_path: Path) -> None:
    ended = launched(*CLI, "data", table, "--json").ended()
    assert ended.code == 0 and json.loads(ended.out)
