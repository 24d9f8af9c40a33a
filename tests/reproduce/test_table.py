"""The table of figures says what the files say."""

import json
from pathlib import Path

import pytest

from lowerbound.reproduce import entries, entry_named
from lowerbound.reproduce.results import add, runs_of, told
from published import markdown, row

ROOT = Path(__file__).parents[2]
ENTRY = entry_named("burda-iwae-5-dynamic")


def run(figure: float, seed: int = 0, error: float = 0.0) -> dict:
    return {
        "seed": seed, "epochs": 30, "updates": 89_400, "changed_settings": {},
        "model": ENTRY.model_settings,
        "training": {"minutes": None, "batch_size": 20},
        "evaluation": {
            "figure": figure, "standard_error_images": error, "images": 10_000, "active_units": 20,
            "images_with_all_samples": 500 if error else 10_000,
        },
    }  # fmt: skip


def test_a_row_without_a_run_claims_nothing(tmp_path):
    made = row(ENTRY, tmp_path)
    assert (made.state, made.ours, made.budget) == ("not run", "", "none of 3,280 epochs")
    text = markdown([made], "results").splitlines()[-1]
    assert text.startswith("| `burda-iwae-5-dynamic` | [85.54](https://arxiv.org/abs/1509.00519) |")
    assert text.endswith("|  | 22 / - | none of 3,280 epochs | not run |")


def test_a_row_says_figure_error_budget_and_file(tmp_path):
    add(ENTRY, tmp_path, run(90.0, error=0.04), "lowerbound reproduce")
    made = row(ENTRY, tmp_path)
    assert made.ours == "90.00 ± 0.04 from test images left out"
    assert made.budget == "30 of 3,280 epochs"
    add(ENTRY, tmp_path, run(91.0, seed=1), "lowerbound reproduce")
    made = row(ENTRY, tmp_path)
    assert made.ours == "90.50 ± 0.71 over 2 seeds, ± 0.04 from test images left out"
    text = markdown([made], "there").splitlines()[-1]
    assert "](there/reproduce-burda-iwae-5-dynamic.json)" in text
    assert "| 22 / 20 | 30 of 3,280 epochs | partial budget |" in text


@pytest.mark.parametrize("entry", entries(), ids=lambda entry: entry.name)
def test_every_file_of_the_repository_says_where_its_figures_come_from(entry):
    path = ROOT / "benchmarks" / "results" / f"reproduce-{entry.name}.json"
    if not path.exists():
        assert row(entry, path.parent).state == "not run"
        return
    record = json.loads(path.read_text())
    assert record["published"]["figure"] == entry.published.figure
    for made in record["runs"]:
        keys = {"command", "date", "versions", "machine", "seed", "epochs", "updates", "seconds"}
        assert keys <= set(made)
        assert made["epochs_published"] == entry.epochs
        assert made["updates_published"] == entry.budget


def test_the_readme_claims_no_more_than_is_on_record():
    place = ROOT / "benchmarks" / "results"
    reproduced = {e.name for e in entries() if row(e, place).state == "reproduced"}
    claimed = {"ppca-iris-2", "ppca-breast-cancer-5", "ppca-digits-10", "ppca-mnist-2"}
    assert (
        "iris, breast cancer, digits and MNIST's 60,000 images" in (ROOT / "README.md").read_text()
    )
    assert claimed <= reproduced
    for name in claimed:
        (made,) = json.loads((place / f"reproduce-{name}.json").read_text())["runs"]
        assert 0 <= made["evaluation"]["gap"] < 0.01


def test_the_readme_tells_of_the_tenth_what_is_on_record():
    place, entry = ROOT / "benchmarks" / "results", entry_named("tenth-vae-1-dynamic")
    assert row(entry, place).state == "reproduced"
    (run,) = told(entry, runs_of(entry, place))
    figure, updates = run["evaluation"]["figure"], run["updates"]
    words = " ".join((ROOT / "README.md").read_text().split())
    assert f"came to {figure:.2f} after {updates:,}, a twentieth" in words
    assert 19.5 < entry_named("burda-vae-1-dynamic").updates / updates < 20.5
