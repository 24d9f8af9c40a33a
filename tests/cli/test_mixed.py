"""A table of words, whole numbers, reals and gaps through the commands."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

TINY = ["--epochs", "2", "--set", "network.hidden=8", "--latents", "3", "--no-report"]


@pytest.fixture
def customers(in_an_empty_folder) -> list[list[str]]:
    generator = np.random.default_rng(0)
    rows = [["id", "age", "town", "income", "visits", "member", "country"]]
    for i in range(300):
        income = "" if i % 6 == 0 else f"{generator.normal(4000, 900):.2f}"
        town = "" if i % 11 == 0 else str(generator.choice(["Bern", "Basel", "Chur"]))
        rows.append([
            f"c-{i:03}", str(generator.integers(18, 90)), town, income,
            str(generator.poisson(2)), str(generator.choice(["no", "yes"])), "CH",
        ])  # fmt: skip
    with Path("customers.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return rows


def test_a_mixed_table_is_trained_evaluated_and_written_as_it_came(lowerbound, customers):
    about = json.loads(lowerbound("data", "customers.csv", "--json").out)
    kinds = {field["name"]: field["kind"] for field in about["fields"]}
    assert kinds == {
        "age": "whole", "town": "categorical", "income": "real", "visits": "count",
        "member": "binary",
    }  # fmt: skip
    done = lowerbound("fit", "customers.csv", "--out", "run", *TINY[:-1])
    assert done.code == 0, done.err
    report = Path("run/report.html").read_text()
    assert "Chur" in report and "country" in report
    done = lowerbound("evaluate", "run", "--samples", "4", "--json")
    assert done.code == 0, done.err
    done = lowerbound("generate", "run", "--count", "50", "--seed", "1", "--out", "new.csv")
    assert done.code == 0, done.err
    with Path("new.csv").open(newline="") as file:
        head, *rows = csv.reader(file)
    assert head == customers[0]
    assert len(rows) == 50
    assert [row[0] for row in rows] == [f"c-{i}" for i in range(300, 350)]
    for _, age, town, income, visits, member, country in rows:
        assert age.lstrip("-").isdigit() and visits.isdigit()
        assert town in ("", "Bern", "Basel", "Chur") and member in ("no", "yes") and country == "CH"
        assert len(income.partition(".")[2]) <= 2 and float(income or 1)
    again = json.loads(lowerbound("data", "new.csv", "--json").out)
    assert {f["name"]: f["kind"] for f in again["fields"]} == kinds


def test_rows_have_gaps_as_the_data_or_as_asked_or_none(lowerbound, customers):
    done = lowerbound("fit", "customers.csv", "--out", "run", *TINY)
    assert "law of gaps fitted" in done.err and Path("run/gaps.safetensors").exists()

    def gaps(*more: str) -> list[int]:
        done = lowerbound("generate", "run", "--out", "new.csv", "--force", "--seed", "1", *more)
        assert done.code == 0, done.err
        with Path("new.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        return [sum(not row[name] for row in rows) for name in ("age", "town", "income")]

    none, towns, incomes = gaps("--count", "600")
    assert none == 0 and 20 < towns < 100 and 60 < incomes < 140  # 1 of 11, 1 of 6
    assert gaps("--count", "600", "--no-gaps") == [0, 0, 0]
    assert gaps("--count", "50", "--where", "income=NA", "--where", "town=Chur") == [0, 0, 50]
    done = lowerbound("generate", "run", "--where", "income=NA", "--no-gaps", "--out", "n.csv")
    assert done.code == 1 or done.code == 2
    assert "leave out --no-gaps" in done.err
    assert json.loads(lowerbound("refit", "run", "--gaps", "--undo", "--json").out)["undone"]
    assert gaps("--count", "30") == [0, 0, 0]
    done = lowerbound("generate", "run", "--where", "income=NA", "--out", "n.csv")
    assert "lowerbound refit run --gaps" in done.err
    assert json.loads(lowerbound("refit", "run", "--gaps", "--json").out)["gaps"]
    assert gaps("--count", "600")[2] == incomes


def test_names_of_rows_come_back_beside_codes_and_reconstructions(lowerbound, customers):
    assert lowerbound("fit", "customers.csv", "--out", "run", *TINY).code == 0
    assert lowerbound("encode", "run", "customers.csv", "--out", "z.csv").code == 0
    assert lowerbound("reconstruct", "run", "customers.csv", "--out", "r.csv").code == 0
    for name, columns in (("z.csv", ["id", "z0", "z1", "z2"]), ("r.csv", customers[0])):
        with Path(name).open(newline="") as file:
            head, *rows = csv.reader(file)
        assert head == columns
        assert [row[0] for row in rows] == [row[0] for row in customers[1:]]


def test_codes_are_no_numbers_to_save(lowerbound, customers):
    assert lowerbound("fit", "customers.csv", "--out", "run", *TINY).code == 0
    done = lowerbound("generate", "run", "--out", "x.npy")
    assert done.code == 2 and "choose .csv, .parquet" in done.err
