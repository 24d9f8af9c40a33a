"""`evaluate --synthetic`: rows that the model of a table makes; what the report shows of them."""

import json

import pytest

from lowerbound.cli import main


@pytest.fixture(scope="module")
def penguins(tmp_path_factory):
    run = tmp_path_factory.mktemp("penguins") / "run"
    tiny = ["--epochs", "1", "--set", "hidden=8", "--latents", "3"]
    assert main(["fit", "penguins", "--out", str(run), "--quiet", *tiny]) == 0
    return run


def test_each_measure_stands_beside_its_value_for_real_rows(lowerbound, penguins):
    done = lowerbound("evaluate", penguins, "--synthetic", "--target", "sex", "--json")
    assert done.code == 0
    found = json.loads(done.out)["synthetic"]
    assert found["rows"] == 34
    told = found["measures"]["told apart, boosted"]
    assert 0.4 < told["value"] <= 1.0
    assert told["null"] < 0.7
    assert [use["target"] for use in found["uses"]] == ["sex"]
    said = lowerbound("evaluate", penguins, "--synthetic", "--target", "sex")
    assert "34 synthetic rows, beside 34 training rows" in said.out
    assert "sex: AUC" in said.out


def test_the_report_shows_columns_associations_and_gaps(penguins):
    text = (penguins / "report.html").read_text()
    for words in ("Associations", "Cramér", "bill_length_mm", "Gaps", "delta_15_n"):
        assert words in text


def test_misuse_is_said_in_a_line(lowerbound, penguins, images):
    for arguments, words in {
        ("--target", "sex"): "--target says what --synthetic predicts",
        ("--synthetic", "--target", "six"): "did you mean 'sex'",
        ("--synthetic", "--split", "train"): "leave out --split",
    }.items():
        done = lowerbound("evaluate", penguins, *arguments)
        assert done.code in (1, 2)
        assert words in done.err
    assert "those of a table" in lowerbound("evaluate", images, "--synthetic").err
