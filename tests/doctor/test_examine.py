"""What the doctor reads, and what it says of runs that are not whole or whose data is gone."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import lowerbound as lb
from lowerbound.doctor import examine
from lowerbound.errors import LowerboundError, RunError
from lowerbound.runs import RunDirectory

FIXTURE = Path(__file__).parents[1] / "runs" / "fixtures" / "v2"


@pytest.fixture
def run(ill_or_healthy, tmp_path: Path) -> Path:
    """A copy of a short run, to be maimed."""
    return Path(shutil.copytree(ill_or_healthy("leaking")[0], tmp_path / "run"))


def test_a_run_of_the_first_format_is_read() -> None:
    examination = examine(FIXTURE)
    assert "does not say where its data is" in examination.facts[0]
    assert "under-training" in [finding.name for finding in examination.findings]
    whole = examine(FIXTURE, "digits")
    assert len(whole.looked) == 14 and not whole.facts
    assert whole.findings[0].name == "worse than no model"


def test_a_quick_look_reads_the_record_alone(run: Path) -> None:
    (run / "weights.safetensors").write_bytes(b"")
    with pytest.raises(RunError, match="truncated"):
        examine(run)
    (run / "weights.safetensors").unlink()
    examination = examine(run, quick=True)
    assert "overfitting" in examination.looked and "rate too high" not in examination.looked


def test_a_training_in_progress_is_told_as_a_fact(run: Path) -> None:
    directory = RunDirectory(run)
    directory.write_spec(replace(directory.read_spec(), result={}))
    with directory.metrics_path.open("a") as file:
        file.write('{"epoch": 6, "upda')
    facts = examine(run).facts
    assert facts == (
        "training is still going on, or was cut off without a word: 5 of 5 epochs are recorded",
    )
    directory.weights_path.unlink()
    examination = examine(run)
    assert "it has no weights yet" in examination.facts[1]
    assert "leak between splits" in [finding.name for finding in examination.findings]


def test_an_interrupted_training_is_told_as_a_fact(run: Path) -> None:
    directory = RunDirectory(run)
    directory.write_spec(replace(directory.read_spec(), result={"stopped": "interrupted"}))
    assert "did not end by itself (interrupted)" in examine(run).facts[0]
    directory.write_spec(replace(directory.read_spec(), result={"stopped": "non-finite"}))
    assert examine(run).findings[0].name == "non-finite training"


def test_changed_data_is_told_as_a_fact(run: Path, tmp_path: Path) -> None:
    spec = RunDirectory(run).read_spec()
    changed = np.load(str(spec.data["location"]))
    changed[0, 0] += 1
    np.save(tmp_path / "changed.npy", changed)
    facts = examine(run, tmp_path / "changed.npy").facts
    assert len(facts) == 1 and "has changed since" in facts[0]


def test_data_of_another_kind_is_refused(run: Path) -> None:
    with pytest.raises(LowerboundError, match="was trained on real vectors of 8"):
        examine(run, "digits")
    with pytest.raises(RunError, match="give the data it was trained on"):
        examine(run, lb.read("digits", limit=50))


def test_data_that_is_gone_leaves_the_record(run: Path) -> None:
    directory = RunDirectory(run)
    spec = directory.read_spec()
    gone = {**spec.data, "location": str(run / "gone.npy")}
    directory.write_spec(replace(spec, data=gone))
    examination = examine(run)
    assert "cannot be read again" in examination.facts[0] and len(examination.looked) == 5


def test_an_examination_is_plain_json_and_repeats(run: Path) -> None:
    first, again = examine(lb.load(run)), examine(run)
    assert json.dumps(first.to_json(), allow_nan=False) == json.dumps(again.to_json())
    assert first.ill and first.to_json()["findings"][0]["severity"] == "ill"


def test_the_most_serious_comes_first(examined) -> None:
    severities = [finding.severity for finding in examined("rate for nothing").findings]
    assert severities == sorted(severities)  # "ill" before "warning"
