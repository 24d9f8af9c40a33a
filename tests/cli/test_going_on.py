"""`lowerbound fit --resume` and `--from`: what they say, refuse and leave alone."""

import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from lowerbound.cli.signals import StopOnSignal
from lowerbound.runs import load, load_state
from lowerbound.runs.lock import Lock
from lowerbound.runs.state import StateDirectory
from lowerbound.training import StopTraining

SMALL = ["--set", "hidden=8", "--latents", "2", "--set", "batch_size=24", "--no-report"]


def write(name: str, seed: int = 0, header: str = "a,b,c", spread: float = 1.0) -> None:
    values = spread * np.random.default_rng(seed).normal(size=(80, 3))
    Path(name).write_text(f"{header}\n" + "".join(f"{a},{b + a},{c}\n" for a, b, c in values))


@pytest.fixture(autouse=True)
def table(in_an_empty_folder, monkeypatch) -> None:
    write("table.csv")
    monkeypatch.setattr("lowerbound.cli.train.conclude", lambda *_: 0)


@pytest.fixture
def finished(lowerbound) -> Path:
    assert lowerbound("fit", "table.csv", "--out", "run", "--epochs", "3", *SMALL).code == 0
    return Path("run")


def stops_at(epoch: int, times: int = 1):
    """SIGTERM comes during the second update of an epoch."""

    def on_step(self, step) -> None:
        if (step.epoch, getattr(step, "index", 0)) == (epoch, 2):
            for _ in range(times):
                self.take(signal.SIGTERM, None)
        if self.number is not None:
            raise StopTraining("terminated")

    return on_step


@pytest.fixture
def stopped(lowerbound, monkeypatch) -> Path:
    with monkeypatch.context() as patch:
        patch.setattr(StopOnSignal, "on_step", stops_at(2))
        done = lowerbound("fit", "table.csv", "--out", "run", "--epochs", "3", *SMALL)
    assert done.code == 143
    assert "best weights so far are in run; go on with: lowerbound fit --resume run" in done.err
    return Path("run")


def weights(path: str | Path) -> list[torch.Tensor]:
    return list(load(path).model.state_dict().values())


def same(one: str | Path, other: str | Path) -> bool:
    return all(torch.equal(a, b) for a, b in zip(weights(one), weights(other), strict=True))


def test_a_terminated_run_goes_on_to_the_same_weights_and_says_so(lowerbound, stopped) -> None:
    assert load(stopped).spec.result["stopped"] == "terminated"
    assert load_state(stopped).values["place"]["index"] == 2  # in the middle of an epoch
    done = lowerbound("fit", "--resume", stopped, "--no-report")
    assert done.code == 0, done.err
    assert "going on with run after 1 finished epoch\n" in done.err
    lowerbound("fit", "table.csv", "--out", "whole", "--epochs", "3", *SMALL)
    assert same("run", "whole")
    spec = load("run").spec
    assert spec.result["stopped"] == "epochs" and len(load("run").history) == 3
    (note,) = spec.resumed
    assert note["after_epoch"] == 1 and note["when"].endswith("+00:00")
    assert load("whole").spec.resumed == []


@pytest.mark.parametrize("seconds", ["0", "1000"])
def test_saving_changes_no_number(lowerbound, finished, seconds: str) -> None:
    arguments = ["--epochs", "3", "--save-every", seconds, *SMALL]
    assert lowerbound("fit", "table.csv", "--out", "other", *arguments).code == 0
    assert same("run", "other")


def test_a_finished_run_goes_on_only_to_more_epochs(lowerbound, finished) -> None:
    before = {path: path.stat().st_mtime_ns for path in finished.rglob("*")}
    done = lowerbound("fit", "--resume", "run")
    assert (done.code, done.out, done.err.count("\n")) == (0, "", 1)
    words = "nothing to do: run is finished; to train it longer, give --epochs above 3"
    assert words in done.err
    assert lowerbound("fit", "--resume", "run", "--epochs", "3").code == 0
    assert lowerbound("fit", "--resume", "run", "--epochs", "2").code == 2
    told = json.loads(lowerbound("fit", "--resume", "run", "--json", "--quiet").out)
    assert (told["run"], told["stopped"], told["epochs"]) == ("run", "epochs", 3)
    assert {path: path.stat().st_mtime_ns for path in finished.rglob("*")} == before
    assert lowerbound("fit", "--resume", "run", "--minutes", "3").code == 2
    before = load("run").history
    assert lowerbound("fit", "--resume", "run", "--epochs", "5", "--no-report").code == 0
    run = load("run")
    assert run.history[:3] == before and len(run.history) == 5
    assert run.spec.training["epochs"] == 5 and run.spec.result["epochs"] == 5


def test_a_run_to_go_on_with_is_explained_and_left_as_it_is(lowerbound, stopped) -> None:
    before = {path: path.read_bytes() for path in stopped.rglob("*") if path.is_file()}
    done = lowerbound("fit", "--resume", "run", "--explain")
    assert done.code == 0 and "updates an epoch of 24 examples" in done.out
    assert "nothing was trained" in done.err
    found = json.loads(lowerbound("fit", "--resume", "run", "--explain", "--json").out)
    assert found["training"]["epochs"] == 3 and found["execution"]
    assert {path: path.read_bytes() for path in stopped.rglob("*") if path.is_file()} == before
    assert lowerbound("fit", "--resume", "run", "--no-report").code == 0
    done = lowerbound("fit", "--resume", "run", "--explain")
    assert done.code == 0 and "run is finished" in done.out
    done = lowerbound("fit", "--resume", "run", "--explain", "--epochs", "9")
    assert done.code == 0 and "updates an epoch" in done.out
    assert len(load("run").history) == 3


def test_a_finished_run_keeps_one_state_or_none(lowerbound, finished) -> None:
    assert len(list((finished / "state").glob("*.json"))) == 1
    arguments = ["--epochs", "3", "--save-every", "0", *SMALL]
    done = lowerbound("fit", "table.csv", "--out", "small", "--no-state", *arguments)
    assert done.code == 0 and "saved in small\n" in done.err
    assert not Path("small/state").exists() and same("run", "small")
    done = lowerbound("fit", "--resume", "small")
    assert done.code == 0 and "--from small" in done.err
    done = lowerbound("fit", "table.csv", "--out", "other", *arguments)
    assert "other/state (0.0 MiB) serves --resume alone and may be deleted" in done.err


def test_a_stopped_run_keeps_its_states_whatever_was_asked_for(lowerbound, monkeypatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(StopOnSignal, "on_step", stops_at(2))
        run = ["fit", "table.csv", "--out", "run", "--epochs", "3", "--no-state", *SMALL]
        assert lowerbound(*run).code == 143
    assert len(list(Path("run/state").glob("*.json"))) == 2
    assert lowerbound("fit", "--resume", "run", "--no-report", "--no-state").code == 0
    assert not Path("run/state").exists() and len(load("run").history) == 3


def test_what_a_person_keeps_in_a_run_survives_its_replacement(lowerbound, finished) -> None:
    (finished / "notes.md").write_text("the third attempt")
    (finished / "figures").mkdir()
    (finished / "figures" / "one.png").write_text("drawn by hand")
    (finished / ".hidden").write_text("mine")
    (finished / "report.html").write_text("of the old run")
    arguments = ["--out", "run", "--force", "--epochs", "1", *SMALL]
    assert lowerbound("fit", "table.csv", *arguments).code == 0
    assert len(load("run").history) == 1
    assert (finished / "notes.md").read_text() == "the third attempt"
    assert (finished / "figures" / "one.png").read_text() == "drawn by hand"
    assert (finished / ".hidden").read_text() == "mine"
    assert not (finished / "report.html").exists()
    assert sorted(os.listdir()) == ["run", "table.csv"]  # nothing is left beside it


@pytest.mark.parametrize("how", ["removed", "cut short", "changed"])
def test_lost_weights_are_written_again_from_the_state(lowerbound, finished, how: str) -> None:
    path = Path("run/weights.safetensors")
    before, kept = path.read_bytes(), weights("run")
    path.unlink()
    if how == "cut short":
        path.write_bytes(before[:1000])
    elif how == "changed":
        path.write_bytes(before[:-4] + bytes(4))
    done = lowerbound("evaluate", "run")
    assert done.code == 1 and done.err.count("\n") == 1
    assert "written again from" in done.err
    assert "state with: lowerbound fit --resume run" in done.err
    assert lowerbound("fit", "--resume", "run", "--no-report").code == 0
    assert all(torch.equal(a, b) for a, b in zip(weights("run"), kept, strict=True))
    assert len(load("run").history) == 3
    assert "is finished" in lowerbound("fit", "--resume", "run").err


def test_a_run_by_the_clock_goes_on_from_the_time_it_used(lowerbound, monkeypatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(StopOnSignal, "on_step", stops_at(4))
        clock = [
            "--minutes",
            "0.02",
            "--set",
            "patience=1000000",
        ]  # or a fast machine runs out of it
        code = lowerbound("fit", "table.csv", "--out", "run", *clock, *SMALL).code
    assert code == 143
    used = load("run").history[-1].seconds
    assert lowerbound("fit", "--resume", "run", "--epochs", "9").code == 2
    assert lowerbound("fit", "--resume", "run", "--no-report").code == 0
    run = load("run")
    assert run.spec.result["stopped"] == "minutes"
    assert 1.2 <= run.spec.result["seconds"] < 10 and run.history[4].seconds > used


CONTRADICTIONS = [
    (["table.csv"], "leave DATA out"),
    (["--model", "vae"], "leave --model out"),
    (["--seed", "0"], "leave --seed out"),
    (["--latents", "2"], "leave --latents out"),
    (["--set", "clip=1"], "leave --set out"),
    (["--out", "x"], "leave --out out"),
    (["--force"], "leave --force out"),
    (["--binarize"], "leave --binarize out"),
    (["--from", "x"], "leave --from out"),
    (["--save-every", "-1"], "save-every is a number of seconds"),
    (["--epochs", "many"], "--epochs"),
    (["--epochs", "1"], "run has gone through 1 epoch already; give --epochs with more"),
    (["--minutes", "1"], "run was trained by epochs; give --epochs instead"),
]


@pytest.mark.parametrize(("arguments", "words"), CONTRADICTIONS, ids=lambda value: str(value))
def test_what_contradicts_the_run_is_refused(lowerbound, stopped, arguments, words) -> None:
    done = lowerbound("fit", "--resume", stopped, *arguments)
    assert done.code == 2 and done.err.count("\n") == 1
    assert words in done.err


def test_other_data_is_refused_and_the_run_is_as_it_was(lowerbound, stopped) -> None:
    write("table.csv", seed=1)
    before = (stopped / "spec.json").read_bytes()
    done = lowerbound("fit", "--resume", stopped)
    assert done.code == 1 and done.err.count("\n") == 1
    assert "has changed since" in done.err and "--from run" in done.err
    Path("table.csv").unlink()
    assert "cannot be read again" in lowerbound("fit", "--resume", stopped).err
    assert (stopped / "spec.json").read_bytes() == before


def test_a_damaged_newest_state_is_told_and_costs_nothing(lowerbound, stopped) -> None:
    newest = max((stopped / "state").glob("*.safetensors"))
    newest.write_bytes(newest.read_bytes()[:-100])
    done = lowerbound("fit", "--resume", stopped, "--no-report")
    assert done.code == 0
    assert "the state saved before it is used" in done.err
    lowerbound("fit", "table.csv", "--out", "whole", "--epochs", "3", *SMALL)
    assert same("run", "whole")


def test_no_state_at_all_is_told_in_one_line(lowerbound, finished) -> None:
    for path in (finished / "state").iterdir():
        path.unlink()
    done = lowerbound("fit", "--resume", "run", "--epochs", "9")
    assert done.code == 1 and done.err.count("\n") == 1
    assert "has no state to go on from" in done.err
    assert "does not exist" in lowerbound("fit", "--resume", "nothing").err


def test_a_run_of_version_1_without_a_state_is_refused_too(lowerbound) -> None:
    fixture = Path(__file__).parents[1] / "runs" / "fixtures" / "v2"
    done = lowerbound("fit", "--resume", fixture, "--epochs", "99")
    assert done.code == 1 and "has no state to go on from" in done.err


def test_a_full_disk_stops_the_run_with_its_last_good_state(lowerbound, monkeypatch) -> None:
    real, saves = os.replace, []

    def full(source, target, **more) -> None:
        if str(target).endswith(".safetensors") and "state" in str(target):
            saves.append(1)
            if len(saves) > 5:
                raise OSError(errno.ENOSPC, "No space left on device")
        real(source, target, **more)

    arguments = ["--epochs", "3", "--save-every", "0", *SMALL]
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        done = lowerbound("fit", "table.csv", "--out", "run", "--quiet", *arguments)
    assert done.code == 1 and done.err.count("\n") == 1
    assert "no space left" in done.err and "go on with: lowerbound fit --resume run" in done.err
    assert lowerbound("fit", "--resume", "run", "--no-report").code == 0
    lowerbound("fit", "table.csv", "--out", "whole", *arguments)
    assert same("run", "whole")


def test_an_old_run_stays_in_its_place_until_the_new_one_has_weights(
    lowerbound, finished, monkeypatch
) -> None:
    before = weights("run")
    with monkeypatch.context() as patch:
        patch.setattr(StopOnSignal, "on_step", stops_at(1))
        done = lowerbound("fit", "table.csv", "--out", "run", "--force", "--epochs", "9", *SMALL)
    assert done.code == 143
    assert all(torch.equal(a, b) for a, b in zip(before, weights("run"), strict=True))
    (new,) = (name for name in os.listdir() if name.startswith("run.new-"))
    assert done.err.splitlines()[-1].endswith(f"lowerbound fit --resume {new}")
    assert lowerbound("fit", "--resume", new, "--no-report").code == 0
    assert len(load(new).history) == 9 and len(load("run").history) == 3


ENDLESS = ["--epochs", "1000000", "--set", "patience=1000000", *SMALL]


def began(*more: str) -> subprocess.Popen:
    command = [sys.executable, "-m", "lowerbound.cli", "fit", "table.csv", "--out", "run", *ENDLESS]
    process = subprocess.Popen([*command, *more], stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline and process.poll() is None:
        if Path("run/state").is_dir() and list(Path("run/state").glob("*.json")):
            return process
        time.sleep(0.02)
    process.kill()
    raise AssertionError(process.communicate())


def test_a_second_signal_ends_at_once_and_the_saved_state_stands(lowerbound, monkeypatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(StopOnSignal, "on_step", stops_at(2, times=2))
        done = lowerbound("fit", "table.csv", "--out", "run", "--epochs", "3", *SMALL)
    assert done.code == 143
    told = "stopped at once; go on from the last save with: lowerbound fit --resume run"
    assert done.err.splitlines()[-1] == told
    assert load_state("run").values["place"] is None  # the end of the first epoch
    assert lowerbound("fit", "--resume", "run", "--no-report").code == 0
    lowerbound("fit", "table.csv", "--out", "whole", "--epochs", "3", *SMALL)
    assert same("run", "whole")


@pytest.mark.slow
def test_two_signals_at_a_real_process_leave_its_last_state() -> None:
    process = began("--save-every", "0")
    try:
        os.kill(process.pid, signal.SIGSTOP)  # both signals are there when it wakes up
        os.kill(process.pid, signal.SIGINT)
        os.kill(process.pid, signal.SIGTERM)
        os.kill(process.pid, signal.SIGCONT)
        _, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode in (130, 143), err
    assert "Traceback" not in err
    assert "go on" in err and "lowerbound fit --resume run" in err
    assert load_state("run").epochs >= 0


def test_a_run_that_lost_numbers_says_so(lowerbound, monkeypatch) -> None:
    from lowerbound.training.trainer import Trainer

    epoch = Trainer.epoch

    def breaks(self, callbacks) -> None:
        if len(self.progress.history) == 1 and not self.guard.rollbacks:
            for parameter in self.stepper.parameters:
                parameter.data.fill_(float("nan"))
        epoch(self, callbacks)

    monkeypatch.setattr(Trainer, "epoch", breaks)
    done = lowerbound("fit", "table.csv", "--out", "run", "--epochs", "3", *SMALL)
    assert done.code == 0
    assert "3 batches were skipped" in done.err and "training was rolled back once" in done.err
    result = load("run").spec.result
    assert (result["skipped"], result["rollbacks"]) == (3, 1)
    assert [e.rollbacks for e in load("run").history] == [0, 1, 0]


def test_weights_of_a_run_are_where_another_begins(lowerbound, finished) -> None:
    write("more.csv", seed=5, spread=3.0)
    arguments = ["--out", "tuned", "--epochs", "1", "--set", "learning_rate=1e-30", "--no-report"]
    done = lowerbound("fit", "more.csv", "--from", "run", *arguments, "--set", "average=none")
    assert done.code == 0, done.err
    assert same("run", "tuned")  # nothing was learned: they are those of the run
    tuned = load("tuned")
    assert tuned.schema == load("run").schema  # whose measures the weights were made for
    assert tuned.spec.settings == load("run").spec.settings
    assert tuned.spec.begun_from["run"] == str(Path("run").absolute())
    assert len(tuned.spec.begun_from["sha256"]) == 64
    assert lowerbound("fit", "--resume", "tuned", "--epochs", "2", "--no-report").code == 0
    assert lowerbound("evaluate", "tuned", "--json").code == 0


def test_weights_that_do_not_fit_are_refused_with_the_reason(lowerbound, finished) -> None:
    write("names.csv", header="a,b,d")
    np.save("pictures.npy", np.random.default_rng(0).integers(0, 2, (64, 6, 5), dtype=np.uint8))

    def refused(words: str, *arguments: str) -> None:
        done = lowerbound("fit", *arguments, "--from", "run", "--out", "new", "--quiet")
        assert done.code != 0 and done.err.count("\n") == 1 and words in done.err, done.err

    refused("column 'd' stands where they have 'c'", "names.csv")
    refused("and they were trained on table of 3 real columns", "pictures.npy")
    refused("hidden is [8] in run, whose model --from takes", "table.csv", "--set", "hidden=9")
    refused("leave --model out", "table.csv", "--model", "vae")
    assert not Path("new").exists()


def test_json_tells_what_was_lost(finished) -> None:
    record = json.loads((finished / "metrics.jsonl").read_text().splitlines()[0])
    assert (record["skipped"], record["rollbacks"]) == (0, 0)


def test_two_processes_do_not_train_one_run(lowerbound, stopped) -> None:
    held = Lock(stopped)
    before = {path.name: path.read_bytes() for path in stopped.iterdir() if path.is_file()}
    done = lowerbound("fit", "--resume", str(stopped))
    assert done.code == 1
    assert done.err.endswith("trained by another process; wait until it ends, or end it\n")
    assert {p.name: p.read_bytes() for p in stopped.iterdir() if p.is_file()} == before
    held.release()
    assert lowerbound("fit", "--resume", str(stopped), "--no-report").code == 0
    assert not (stopped / ".lock").exists()


def test_states_are_saved_by_updates_too(lowerbound, monkeypatch) -> None:
    saves = []
    save = StateDirectory.save
    monkeypatch.setattr(
        StateDirectory, "save", lambda self, *given: (saves.append(1), save(self, *given))
    )
    run = ["fit", "table.csv", "--epochs", "4", *SMALL]
    assert lowerbound(*run, "--out", "by-time").code == 0
    seldom = len(saves)
    assert lowerbound(*run, "--out", "by-updates", "--save-every-updates", "3").code == 0
    updates = load("by-updates").history[-1].updates
    assert len(saves) - seldom >= updates // 3 > seldom
    done = lowerbound(*run, "--out", "never", "--save-every-updates", "0")
    assert done.code == 2 and "save-every-updates is a whole number" in done.err
