"""`lowerbound reproduce`: what it refuses, what it tells, and what it leaves behind."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from lowerbound.data import Raw, build
from lowerbound.data.rows import ArrayRows
from lowerbound.reproduce import entries, entry_named
from lowerbound.runs import load

NAME = "burda-vae-1-dynamic"
RUN = [
    NAME,
    "--epochs",
    1,
    "--test-images",
    4,
    "--quiet",
    "--set",
    "hidden=4",
    "--set",
    "latents=2",
]


@pytest.fixture
def small(monkeypatch):
    """The entry's data, small."""
    levels = np.random.default_rng(0).integers(0, 256, (60, 28, 28)).astype(np.uint8)
    part = np.repeat([0, 1, 2], [40, 8, 12]).astype(np.int8)
    data = build(Raw("small", ArrayRows(levels), part=part), binarize="dynamic")
    monkeypatch.setattr("lowerbound.cli.reproductions.load", lambda source, path: data)
    return data


def test_the_list_says_source_protocol_cost_and_state_of_everything(lowerbound):
    done = lowerbound("reproduce", "--list")
    assert done.code == 0
    for entry in entries():
        assert f"{entry.name}: {entry.title}\n" in done.out
    assert done.out.count("(computed)") + done.out.count("(measured)") == 2 * len(entries())
    rows = json.loads(lowerbound("reproduce", "--list", "--json").out)
    assert [row["name"] for row in rows] == [entry.name for entry in entries()]
    keys = {"source", "address", "protocol", "cost_on_two_cores", "cost_on_accelerator", "state"}
    assert all(keys <= set(row) and all(row[key] for key in keys) for row in rows)
    one = lowerbound("reproduce", NAME, "--list")
    assert "protocol: Training images 1 to 59,600" in one.out
    assert one.out.count("published") == 1


@pytest.mark.parametrize("option", [["--full"], ["--pause-after", "nan"], ["--seeds", "1,1"]])
def test_the_list_refuses_what_it_would_not_heed(lowerbound, option):
    done = lowerbound("reproduce", "--list", *option)
    assert (done.code, done.out) == (2, "")
    assert f"--list trains nothing; leave {option[0]} out" in done.err


def test_a_state_is_never_better_than_what_was_run(lowerbound, small):
    Path("benchmarks/results").mkdir(parents=True)
    rows = json.loads(lowerbound("reproduce", NAME, "--list", "--json").out)
    assert rows[0]["state"] == "not run"
    done = lowerbound("reproduce", NAME, "--epochs", 1, "--test-images", 2, "--quiet")
    assert done.code == 0
    assert "epochs 1 of 3,280" in done.out and "partial budget" in done.out
    rows = json.loads(lowerbound("reproduce", NAME, "--list", "--json").out)
    assert rows[0]["state"] == "partial budget"
    assert rows[0]["ours"] > 86.76
    stored = json.loads(Path(f"benchmarks/results/reproduce-{NAME}.json").read_text())
    (run,) = stored["runs"]
    assert (run["epochs"], run["epochs_published"], run["updates"]) == (1, 3280, 2)
    assert run["command"].startswith("lowerbound")


def test_other_settings_are_recorded_and_do_not_speak_for_the_entry(lowerbound, small):
    done = lowerbound("reproduce", *RUN, "--seeds", "0,1", "--results", "here")
    assert done.code == 0
    assert done.err.count("recorded in here/reproduce-burda-vae-1-dynamic.json") == 2
    assert "not run under its own settings" in done.out
    stored = json.loads(Path("here/reproduce-burda-vae-1-dynamic.json").read_text())
    assert [run["seed"] for run in stored["runs"]] == [0, 1]
    assert stored["runs"][0]["changed_settings"] == {"hidden": "4", "latents": "2"}


def test_a_run_is_not_overwritten_and_goes_on_when_asked(lowerbound, small):
    assert lowerbound("reproduce", *RUN).code == 0
    again = lowerbound("reproduce", *RUN)
    assert again.code == 1 and "seed-0" in again.err
    assert lowerbound("reproduce", *RUN, "--resume").code == 0
    assert lowerbound("reproduce", *RUN, "--force").code == 0
    assert lowerbound("doctor", f"runs/reproduce/{NAME}/seed-0", "--help").code == 0


def test_sittings_add_up_to_the_run_of_one(lowerbound, small, monkeypatch):
    """The beginning of the published schedule, and the rest of it: the very same weights."""
    short = dataclasses.replace(
        entry_named(NAME), training={**entry_named(NAME).training, "epochs": 3}
    )
    monkeypatch.setattr("lowerbound.cli.reproductions.entry_named", lambda name: short)
    common = [NAME, "--full", *RUN[3:]]
    assert lowerbound("reproduce", *common, "--out", "whole").code == 0
    paused = lowerbound("reproduce", *common, "--out", "parts", "--pause-after", "1e-9")
    assert paused.code == 0 and "paused; go on with the same command and --resume" in paused.err
    assert len(load("parts/seed-0").history) == 1
    for done in (2, 3):
        again = lowerbound(
            "reproduce", *common, "--out", "parts", "--pause-after", "1e-9", "--resume"
        )
        assert again.code == 0 and len(load("parts/seed-0").history) == done
        assert ("paused" in again.err) == (done < 3)
    whole, parts = (load(f"{name}/seed-0").model.state_dict() for name in ("whole", "parts"))
    assert all(torch.equal(whole[name], parts[name]) for name in whole)
    stored = json.loads(Path(f"runs/reproduce/results/reproduce-{NAME}.json").read_text())
    assert sorted(run["epochs"] for run in stored["runs"]) == [1, 2, 3]


REFUSED = [
    ([], "missing argument 'NAME'"),
    (["burda"], "no published figure 'burda'"),
    ([NAME], "was published after 3,280 epochs (9,774,400 updates); give --epochs N"),
    ([NAME, "--full", "--epochs", 3], "exclude each other"),
    ([NAME, "--minutes", 3, "--pause-after", 1], "give --full, too"),
    ([NAME, "--full", "--pause-after", 0], "--pause-after is a number of minutes above 0, got 0"),
    (["ppca-iris-2", "--full", "--pause-after", 1], "leave --pause-after out"),
    ([NAME, "--epochs", 0], "--epochs is from 1 to 3,280"),
    ([NAME, "--epochs", 4000], "--epochs is from 1 to 3,280"),
    ([NAME, "--epochs", 1, "--seeds", "one"], "--seeds takes whole numbers"),
    ([NAME, "--epochs", 1, "--seeds", "1,2,1"], "--seeds names a seed twice"),
    (["ppca-iris-2", "--full", "--data", "here"], "iris comes with scikit-learn; leave --data out"),
    ([NAME, "--epochs", 1, "--test-images", 1], "--test-images is at least 2"),
    ([NAME, "--full", "--set", "epochs=3"], "give --epochs instead"),
    ([NAME, "--full", "--set", "lr=3"], "no setting 'lr'"),
    (["ppca-iris-2", "--minutes", 3], "takes minutes at most"),
    (["burda-vae-1-static", "--full"], "the static binarisation of MNIST is not at hand; give"),
]


@pytest.mark.parametrize(("arguments", "words"), REFUSED, ids=str)
def test_what_cannot_be_is_refused_in_one_line(lowerbound, arguments, words, request):
    if "lr=3" in arguments:
        request.getfixturevalue("small")
    done = lowerbound("reproduce", *arguments)
    assert done.code in (1, 2)
    assert words in done.err
    assert len(done.err.strip().splitlines()) == 1


def test_a_linear_entry_runs_its_whole_budget_by_itself(lowerbound):
    done = lowerbound("reproduce", "ppca-iris-2", "--epochs", 2, "--quiet", "--results", "here")
    assert done.code == 0
    assert "epochs 2 of 1,000" in done.out
    assert not Path("runs").exists()
