"""The state of an entry follows from the runs that are on record, and from nothing else."""

import json
from pathlib import Path

import pytest

from lowerbound.errors import RunError
from lowerbound.reproduce import entry_named
from lowerbound.reproduce.results import add, figure, file_of, folder, runs_of, state, told

ENTRY = entry_named("burda-vae-1-dynamic")
TENTH = entry_named("tenth-vae-1-dynamic")


def run(
    entry=ENTRY, value=86.8, epochs=None, seed=0, images=10_000, settings=None, model=None
) -> dict:
    epochs = entry.epochs if epochs is None else epochs
    return {
        "seed": seed,
        "epochs": epochs,
        "updates": entry.updates * epochs // entry.epochs,
        "changed_settings": settings or {},
        "model": {**entry.model_settings, **(model or {})},
        "training": {"minutes": None, "batch_size": entry.batch_size},
        "evaluation": {"figure": value, "images": 10_000, "images_with_all_samples": images},
    }


@pytest.mark.parametrize(
    ("runs", "expected"),
    [
        ([], "not run"),
        ([run()], "reproduced"),
        ([run(value=87.06)], "reproduced"),  # within the tolerance of 0.3
        ([run(value=87.07)], "whole budget, figure apart"),
        ([run(epochs=3279)], "partial budget"),
        ([run(epochs=328, value=86.0)], "partial budget"),  # a good figure is not the budget
        ([run(images=1000)], "partial budget"),
        ([run(), run(epochs=3, seed=1)], "reproduced"),  # the short one does not speak for it
        ([run(), run(seed=1, value=88.0)], "whole budget, figure apart"),  # the mean does
        ([run(settings={"latents": "20"})], "not run"),  # that is another model
        ([run(model={"init": "torch"})], "not run"),  # and that began elsewhere
    ],
)
def test_only_the_whole_budget_reproduces(runs, expected):
    assert state(ENTRY, told(ENTRY, runs)) == expected


@pytest.mark.parametrize(
    ("runs", "expected"),
    [
        ([run(TENTH, 86.7)], "reproduced"),
        ([run(TENTH, 86.7, epochs=800)], "reproduced"),  # with fewer still
        ([run(TENTH, 86.77)], "whole budget, figure apart"),
        ([run(TENTH, 87.5, epochs=100)], "partial budget"),
        ([run(TENTH, 86.7, settings={"learning_rate": "0.004"})], "reproduced"),
        ([run(TENTH, 86.7, images=1000)], "partial budget"),
    ],
)
def test_the_tenth_is_reached_by_a_figure_not_by_a_budget(runs, expected):
    assert state(TENTH, told(TENTH, runs)) == expected


def test_the_figure_is_the_mean_over_seeds_with_their_spread():
    mean, spread = figure([run(value=86.0), run(value=87.0, seed=1)])
    assert mean == 86.5
    assert spread == pytest.approx(0.5**0.5)
    assert figure([run()])[1] is None


def test_every_run_is_kept_with_where_it_comes_from(tmp_path):
    path = add(ENTRY, tmp_path, run(), "lowerbound reproduce one")
    add(ENTRY, tmp_path, run(seed=1), "lowerbound reproduce two")
    add(ENTRY, tmp_path, run(value=86.9), "lowerbound reproduce three")  # in place of the first
    assert path == file_of(ENTRY, tmp_path)
    stored = json.loads(path.read_text())
    assert stored["published"]["figure"] == 86.76
    assert stored["published"]["epochs"] == 3280
    kept = runs_of(ENTRY, tmp_path)
    assert [(made["seed"], made["evaluation"]["figure"]) for made in kept] == [(1, 86.8), (0, 86.9)]
    for made in kept:
        assert made["command"].startswith("lowerbound reproduce")
        assert {"date", "versions", "machine"} <= set(made)


def test_no_file_is_no_run_and_a_damaged_one_is_said(tmp_path):
    assert runs_of(ENTRY, tmp_path) == []
    file_of(ENTRY, tmp_path).write_text("[]")
    with pytest.raises(RunError, match="holds no results"):
        runs_of(ENTRY, tmp_path)


def test_results_lie_with_the_others_in_a_checkout(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "benchmarks" / "results").mkdir(parents=True)
    assert folder() == Path("benchmarks/results")
    (tmp_path / "docs").mkdir()
    monkeypatch.chdir(tmp_path / "docs")
    assert folder() == tmp_path / "benchmarks" / "results"
    assert folder(tmp_path) == tmp_path


def test_elsewhere_they_lie_beside_the_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert folder() == Path("runs/reproduce/results")


def test_seeds_that_speak_together_have_one_budget_and_one_setting():
    short, whole = run(epochs=10, seed=1), run(epochs=20, seed=0, value=90.0)
    assert told(ENTRY, [short, whole]) == [whole]
    assert told(ENTRY, [short, whole, run(epochs=20, seed=1)]) == [whole, run(epochs=20, seed=1)]
    # where the optimiser is free, the better setting speaks, not the longer run
    fast = run(TENTH, 88.0, epochs=50, settings={"learning_rate": "0.004"})
    assert told(TENTH, [run(TENTH, 89.0, epochs=90), fast]) == [fast]
