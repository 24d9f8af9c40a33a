"""`lowerbound doctor` and `lowerbound compare`: what they say, and with which exit code."""

import importlib
import json
import shutil
from pathlib import Path

import pytest

from lowerbound.runs import load

FIXTURE = Path(__file__).parents[1] / "runs" / "fixtures" / "v2"


def test_findings_are_told_in_words_with_a_remedy(lowerbound, images: Path) -> None:
    done = lowerbound("doctor", images)
    assert (done.code, done.err) == (0, "")
    assert "under-training (ill)" in done.out and "Try: Train longer: --epochs" in done.out


def test_findings_as_json(lowerbound, table: Path) -> None:
    done = lowerbound("doctor", table, "--json")
    found = json.loads(done.out)
    assert done.code == 0 and found["ill"] is True
    assert {"name", "severity", "words", "remedy"} == set(found["findings"][0])


def test_strict_fails_on_an_illness(lowerbound, images: Path) -> None:
    done = lowerbound("doctor", images, "--quick", "--strict")
    assert done.code == 1 and "under-training" in done.out and done.err == ""


def test_nothing_wrong_is_said_with_what_was_looked_at(
    lowerbound, images: Path, tmp_path: Path
) -> None:
    run = Path(shutil.copytree(images, tmp_path / "run"))
    (run / "metrics.jsonl").write_text("")
    done = lowerbound("doctor", run, "--quick", "--strict")
    assert done.code == 0
    # without a recorded epoch nobody can have looked for what shows in epochs
    assert done.out.startswith("Note: no epoch is recorded")
    assert done.out.endswith("Nothing wrong found. Looked for: non-finite training.\n")
    whole = lowerbound("doctor", images, "--json", "--quick")
    assert "loss spikes" in json.loads(whole.out)["looked"]


def test_an_old_run_is_examined(lowerbound) -> None:
    done = lowerbound("doctor", FIXTURE)
    assert done.code == 0 and done.out.startswith("Note: only the record was read")


def test_two_runs_are_compared(lowerbound, images: Path) -> None:
    done = lowerbound("compare", images, images, "--samples", 5)
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(f"{images} and {images} are the same to the last digit.")
    assert "95 % interval +0.00 to +0.00" in done.out
    found = json.loads(lowerbound("compare", images, images, "--samples", 5, "--json").out)
    assert found["differences"][0]["log_likelihood"]["mean"] == 0


@pytest.mark.parametrize("command", ["doctor", "compare"])
def test_where_a_run_is_looked_at_can_be_said(
    lowerbound, images: Path, command: str, monkeypatch
) -> None:
    places = []

    def noted(path, *, device):
        places.append(device)
        return load(path, device="cpu")

    for module in ("doctor.examine", "compare.compare"):
        monkeypatch.setattr(importlib.import_module(f"lowerbound.{module}"), "load", noted)
    monkeypatch.setattr(f"lowerbound.cli.{command}.device_of", lambda name: f"the {name} one")
    more = [] if command == "doctor" else [images, "--samples", 5]
    assert lowerbound(command, images, *more, "--device", "cuda:1").code == 0
    assert set(places) == {"the cuda:1 one"}


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["doctor", "IMAGES", "--device", "tpu"], 2, "no device 'tpu'; available here: cpu"),
        (["compare", "IMAGES", "IMAGES", "--device", "tpu"], 2, "no device 'tpu'"),
        (["doctor"], 2, "missing argument 'RUN'"),
        (["doctor", "nothing"], 1, "does not exist; fit one with"),
        (["doctor", "IMAGES", "--data", "digits"], 1, "was trained on binary images"),
        (["compare", "IMAGES"], 2, "at least two runs"),
        (["compare", "IMAGES", "nothing"], 1, "does not exist"),
        (["compare", "IMAGES", "IMAGES", "--samples", "0"], 2, "--samples must be"),
        (["compare", "IMAGES", "TABLE"], 2, "a density, of the other a probability"),
    ],
    ids=str,
)
def test_a_misuse_is_one_line(
    lowerbound, images: Path, table: Path, arguments: list[str], code: int, words: str
) -> None:
    places = {"IMAGES": str(images), "TABLE": str(table)}
    done = lowerbound(*(places.get(word, word) for word in arguments))
    assert (done.code, done.out) == (code, "")
    assert done.err.startswith("error: ") and done.err.count("\n") == 1 and words in done.err


def test_units_are_held_against_known_factors(lowerbound, images: Path, place: Path) -> None:
    Path("factors.csv").write_text("kind,size\n" + "cat,1\ndog,2\ncat,3\n" * 21 + "dog,1\n")
    asked = ("evaluate", images, "--samples", 2, "--factors", "factors.csv")
    said = lowerbound(*asked, "--data", place / "images.npy")
    assert (said.code, said.err) == (0, "")
    assert "Units and known factors, 64 examples" in said.out and "FactorVAE score" in said.out
    found = json.loads(lowerbound(*asked, "--data", place / "images.npy", "--json").out)
    assert 0 <= found["disentanglement"]["mig"] < 0.5
    assert "give that, too" in lowerbound(*asked).err
