"""Options that say how data are read: said by `data`, taken by `fit`, kept by the run."""

import json
from pathlib import Path

import numpy as np

TINY = ["--epochs", "1", "--set", "hidden=8", "--latents", "2", "--no-report", "--quiet"]
rng = np.random.default_rng(0)


def test_a_decision_is_said_with_its_alternative_and_can_be_told(lowerbound) -> None:
    scales = np.array([101325, 20.0]) + np.array([800, 5]) * rng.normal(size=(40, 6, 2))
    np.save("windows.npy", scales)
    done = lowerbound("data", "windows.npy")
    assert "real series of 6 steps, 2 channels" in done.out
    assert "--axes hw" in done.out
    told = json.loads(lowerbound("data", "windows.npy", "--axes", "hw", "--json").out)
    assert told["shape"] == [1, 6, 2]
    assert told["reading"]["axes"] == "hw"
    assert told["notes"] == []


def test_every_option_reaches_the_reader(lowerbound) -> None:
    rows = [f"{a:.3f};{1 + i % 2};{i}" for i, a in enumerate(rng.normal(size=40))]
    Path("t.csv").write_text("\n".join(rows).replace(".", ",") + "\n")
    arguments = [
        "--no-header", "--decimal", ",", "--row-names", "column 3", "--gaps", "column 1=0.5",
        "--gaps", "*=-99", "--column", "column 2=categorical", "--binarize",
    ]  # fmt: skip
    done = lowerbound("data", "t.csv", *arguments, "--json")
    assert "columns of words, which cannot be cut at half" in done.err
    told = json.loads(lowerbound("data", "t.csv", *arguments[:-1], "--json").out)
    assert told["reading"] == {
        "header": False,
        "decimal": ",",
        "row_names": "column 3",
        "gaps": [
            {"column": "column 1", "codes": ["0.5"]},
            {"column": "*", "codes": ["-99"]},
        ],
        "columns": [{"column": "column 2", "kind": "categorical"}],
    }
    assert [field["kind"] for field in told["fields"]] == ["real", "categorical"]


def test_a_run_reads_its_data_and_new_data_as_it_was_told(lowerbound) -> None:
    """9999 is a gap in new data, too, and names of rows come back."""
    x = rng.normal(size=(60, 2))
    x[:4, 0] = 9999
    lines = [f"s{i},{a:.4f},{b:.4f}" for i, (a, b) in enumerate(x)]
    Path("t.csv").write_text("\n".join(["name,a,b", *lines]) + "\n")
    assert lowerbound("fit", "t.csv", "--gaps", "a=9999", "--out", "run", *TINY).code == 0
    done = lowerbound("evaluate", "run")
    assert done.code == 0
    assert "has changed" not in done.err
    Path("new.csv").write_text("\n".join(["name,a,b", *lines[:3]]) + "\n")
    done = lowerbound("encode", "run", "new.csv", "--out", "z.csv")
    assert "cells empty, read as gaps: a 3" in done.err
    codes = Path("z.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in codes] == ["name", "s0", "s1", "s2"]


def test_pack_takes_the_decisions_too(lowerbound) -> None:
    np.save("x.npy", rng.normal(size=(30, 6, 2)))
    assert lowerbound("data", "pack", "x.npy", "packed", "--axes", "tc").code == 0
    assert "real series of 6 steps, 2 channels" in lowerbound("data", "packed").out


def test_every_column_is_listed_and_can_be_told(lowerbound) -> None:
    rows = [f"{1 + i % 28:02}.0{1 + i % 9}.2024,{a:.2f},{i % 7 - 3}" for i, a in
            enumerate(rng.normal(size=60))]  # fmt: skip
    Path("t.csv").write_text("\n".join(["paid,x,level", *rows]) + "\n")
    lines = lowerbound("data", "t.csv", "--column", "level=categorical").out.splitlines()
    table = [line.split() for line in lines if line.startswith(("column", "paid", "x ", "level"))]
    assert table[0] == ["column", "kind", "gaps", "sample", "because"]
    assert [row[:2] for row in table[1:]] == [
        ["paid", "date"], ["x", "real"], ["level", "categorical"],
    ]  # fmt: skip
    assert table[1][-2:] == ["written", "%d.%m.%Y"]
    told = json.loads(lowerbound("data", "t.csv", "--column", "level=skip", "--json").out)
    assert [one["kind"] for one in told["columns"]] == ["date", "real", "skip"]


def test_a_run_scores_rows_that_lack_a_column_where_it_is_told(lowerbound) -> None:
    lines = [f"{a:.3f},{b:.3f},{c:.3f}" for a, b, c in rng.normal(size=(60, 3))]
    Path("t.csv").write_text("\n".join(["a,b,c", *lines]) + "\n")
    assert lowerbound("fit", "t.csv", "--out", "run", *TINY).code == 0
    Path("new.csv").write_text("c,a\n1.5,2.5\n-1,0.5\n9999,1\n")
    done = lowerbound("score", "run", "new.csv")
    assert done.code == 1 and "lacks 1 of the model's 3 columns: 'b'" in done.err
    done = lowerbound("score", "run", "new.csv", "--allow-missing", "--gaps", "c=9999")
    assert done.code == 0, done.err
    assert "1 column missing, read as gaps (b)" in done.err and "c 1" in done.err


def test_texts_are_described_as_json_too(lowerbound):
    # their recipe has no likelihood to name: KeyError
    Path("names.txt").write_text("\n".join(f"name {number}" for number in range(30)))
    done = lowerbound("data", "names.txt", "--json")
    assert done.code == 0, done.err
    told = json.loads(done.out)
    assert told["recipe"] == "text-vae" and told["likelihood"] is None and told["latents"] == 32


def test_settings_of_the_recipe_that_the_data_chooses_need_no_model(lowerbound):
    # --set tokens=1000, as the page on texts has it, asked for --model text-vae
    Path("names.txt").write_text("\n".join(f"name {number}" for number in range(30)))
    done = lowerbound("fit", "names.txt", "--set", "tokens=257", "--explain")
    assert done.code == 0, done.err
    assert "Texts are cut into 257 pieces" in done.out
    done = lowerbound("fit", "digits", "--set", "tokens=257", "--explain")
    assert done.code == 2
    assert "'vae' has no setting 'tokens'; give --model with one that has it: text-vae" in done.err
