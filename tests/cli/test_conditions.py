"""`generate --where` and `--like`: rows under conditions."""

import csv
from pathlib import Path

import numpy as np
import pytest

TINY = ["--epochs", "5", "--set", "network.hidden=8", "--latents", "2", "--no-report"]


@pytest.fixture(scope="session")
def staff(tmp_path_factory) -> Path:
    from lowerbound.cli import main

    folder = tmp_path_factory.mktemp("staff")
    generator = np.random.default_rng(0)
    rows = []
    for _ in range(200):
        age = generator.normal(40, 8)
        rows.append(
            f"{age:.0f},{generator.choice(['Bern', 'Chur', 'Zug'])},{100 * age + generator.normal(0, 50):.1f},"
            f"{generator.poisson(3)},CH\n"
        )
    (folder / "staff.csv").write_text("age,town,pay,days,land\n" + "".join(rows))
    out = str(folder / "run")
    code = main(
        ["fit", str(folder / "staff.csv"), "--column", "age=real", "--out", out, "--quiet", *TINY]
    )
    assert code == 0
    return folder


def rows_of(name: str) -> list[dict[str, str]]:
    with Path(name).open(newline="") as file:
        return list(csv.DictReader(file))


def test_rows_fulfil_the_conditions_and_their_probability_is_told(lowerbound, staff):
    done = lowerbound(
        "generate", staff / "run", "--where", "age=35..42", "--where", "town=Bern|Zug", "--where",
        "days=2..4", "--count", 200, "--seed", 1,
    )  # fmt: skip
    assert done.code == 0, done.err
    assert "log p of the condition -" in done.err and "effective draws" in done.err
    rows = rows_of("samples.csv")
    assert len(rows) == 200
    assert {row["town"] for row in rows} == {"Bern", "Zug"}
    assert {int(row["days"]) for row in rows} == {2, 3, 4}
    ages = {int(row["age"]) for row in rows}
    assert min(ages) >= 35 and max(ages) <= 42 and len(ages) > 4
    assert {row["land"] for row in rows} == {"CH"}


def test_rows_like_another_differ_where_they_may(lowerbound, staff):
    Path("row.csv").write_text("age,town,pay,days,land\n38,Chur,,2,CH\n")
    done = lowerbound(
        "generate", staff / "run", "--like", "row.csv", "--vary", "days", "--count", 30, "--where",
        "town=Bern", "--seed", 1,
    )  # fmt: skip
    assert done.code == 0, done.err
    rows = rows_of("samples.csv")
    assert {(row["age"], row["town"]) for row in rows} == {("38", "Bern")}
    assert len({row["days"] for row in rows}) > 1 and len({row["pay"] for row in rows}) > 1


def test_impossible_conditions_are_refused(lowerbound, staff):
    for options, words in (
        (["--where", "age=500..600"], "probability of 0 under the model"),
        (["--where", "town=Genf"], "no value of 'town' 'Genf'"),
        (["--where", "pay=NA"], "asks for a gap"),
        (["--where", "town=Bern", "--where", "town=Zug"], "two conditions"),
        (["--like", "row.csv"], "give both"),
        (["--where", "town=Bern", "--mean"], "leave --mean out"),
    ):
        done = lowerbound("generate", staff / "run", *options)
        assert done.code == 2 and words in done.err, done.err
