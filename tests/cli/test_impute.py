"""`impute` and `pool`: gaps are filled, and nothing else is touched."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

TINY = ["--epochs", "2", "--set", "network.hidden=8", "--latents", "2", "--no-report"]


@pytest.fixture(scope="session")
def people(tmp_path_factory) -> Path:
    """A folder with a table as people have them, and a run on it."""
    from lowerbound.cli import main

    folder = tmp_path_factory.mktemp("people")
    generator = np.random.default_rng(0)
    lines = ["id;born;town;income;visits;member"]
    for i in range(200):
        income = "" if i % 6 == 0 else f"{generator.normal(4000, 900):.2f}".replace(".", ",")
        town = "n/a" if i % 11 == 0 else generator.choice(["Bern", '"St. Gallen; SG"', "Chur"])
        born = f"{generator.integers(10, 28)}.{generator.integers(10, 13)}.19{50 + i % 50}"
        lines.append(
            f"c-{i:03};{born};{town};{income};{generator.poisson(2)};{'yes' if i % 3 else 'no'}"
        )
    (folder / "people.csv").write_bytes(("\r\n".join(lines) + "\r\n").encode("utf-8-sig"))
    assert (
        main(["fit", str(folder / "people.csv"), "--out", str(folder / "run"), "--quiet", *TINY])
        == 0
    )
    return folder


def rows_of(path: Path | str, delimiter: str = ";") -> list[list[str]]:
    with Path(path).open(newline="", encoding="utf-8-sig") as file:
        return list(csv.reader(file, delimiter=delimiter))


def test_gaps_are_filled_and_observed_cells_are_as_they_were(lowerbound, people):
    done = lowerbound("impute", people / "run", people / "people.csv", "--samples", 50, "--seed", 1)
    assert done.code == 0, done.err
    assert done.out == "filled.csv\n" and "53 gaps in 49 rows filled, seed 1" in done.err
    old, new = rows_of(people / "people.csv"), rows_of("filled.csv")
    assert len(new) == len(old) and new[0] == old[0]
    for before, after in zip(old[1:], new[1:], strict=True):
        for was, now in zip(before, after, strict=True):
            if was not in ("", "n/a"):
                assert now == was
        assert after[2] in ("Bern", "St. Gallen; SG", "Chur")
        assert "," in after[3] and float(after[3].replace(",", ".")) > 0
    again = lowerbound("impute", people / "run", "filled.csv", "--out", "twice.csv")
    assert "0 gaps in 0 rows filled" in again.err
    assert rows_of("twice.csv") == new


def test_draws_and_errors_come_beside_it(lowerbound, people):
    done = lowerbound(
        "impute", people / "run", people / "people.csv", "--draws", 3, "--errors", "gaps.csv",
        "--samples", 50, "--out", "out.csv",
    )  # fmt: skip
    assert done.code == 0, done.err
    assert done.out.split() == ["out.csv", "out-draws.csv", "gaps.csv"]
    assert "--models 5" in done.err
    head, *rows = rows_of("out-draws.csv")
    assert head[:2] == ["imputation", "id"] and len(rows) == 600
    assert [row[0] for row in rows[::200]] == ["1", "2", "3"]
    incomes = {row[4] for row in rows if row[1] == "c-000"}
    assert len(incomes) == 3
    head, *gaps = rows_of("gaps.csv", ",")
    assert head == ["row", "column", "value", "spread", "low", "high"] and len(gaps) == 53
    assert all(float(row[4]) <= float(row[5]) for row in gaps)


def test_words_that_training_never_saw_are_no_gaps(lowerbound, people):
    lines = (people / "people.csv").read_text(encoding="utf-8-sig").splitlines()[:4]
    parts = lines[2].split(";")
    lines[2] = ";".join([*parts[:2], "Paris", "", *parts[-2:]])
    Path("new.csv").write_text("\n".join(lines) + "\n")
    done = lowerbound("impute", people / "run", "new.csv", "--samples", 20)
    assert done.code == 0, done.err
    row = rows_of("filled.csv")[2]
    assert row[2] == "Paris" and row[3] != ""


def test_parquet_keeps_its_types(lowerbound, people):
    pa = pytest.importorskip("pyarrow")
    from datetime import date

    from pyarrow import parquet

    table = pa.table({
        "born": pa.array([date(1980, 1, 2), None, date(1999, 5, 6)]),
        "town": pa.array(["Bern", None, "Paris"]).dictionary_encode(),
        "income": pa.array([None, 4000.25, 3999.5], pa.float32()),
        "visits": pa.array([1, None, 3], pa.int16()),
        "member": pa.array(["yes", "no", None]),
    })  # fmt: skip
    parquet.write_table(table, "new.parquet")
    done = lowerbound(
        "impute", people / "run", "new.parquet", "--out", "filled.parquet", "--samples", 20
    )
    assert done.code == 0, done.err
    found = parquet.read_table("filled.parquet")
    assert found.schema.types == table.schema.types
    assert found.column("town").to_pylist()[::2] == ["Bern", "Paris"]
    assert found.column("income").to_pylist()[1:] == [4000.25, 3999.5]
    assert all(found.column(name).null_count == 0 for name in found.column_names)


def test_models_of_a_bootstrap_are_trained(lowerbound, people):
    done = lowerbound(
        "impute",
        people / "run",
        people / "people.csv",
        "--models",
        2,
        "--samples",
        20,
        "--draws",
        2,
    )
    assert done.code == 0, done.err
    assert "--models 5" not in done.err


def test_an_array_is_filled(lowerbound):
    x = np.random.default_rng(0).normal(size=(60, 3))
    x[::7, 1] = np.nan
    np.save("x.npy", x)
    assert lowerbound("fit", "x.npy", "--out", "run", "--quiet", *TINY).code == 0
    assert lowerbound("impute", "run", "x.npy", "--samples", 20, "--draws", 2).code == 0
    filled = np.load("filled.npy")
    assert np.isfinite(filled).all() and np.allclose(filled[~np.isnan(x)], x[~np.isnan(x)])
    assert np.load("filled-draws.npy").shape == (2, 60, 3)


def test_what_cannot_be_filled_is_refused(lowerbound, people):
    done = lowerbound("impute", people / "run", people / "people.csv", "--models", 0)
    assert done.code == 2 and "--models must be" in done.err
    done = lowerbound("impute", people / "run", people / "people.csv", "--point", "best")
    assert done.code == 2 and "point is one of" in done.err
    done = lowerbound("impute", people / "run", people / "people.csv", "--out", "x.npy")
    assert done.code == 2 and ".csv" in done.err


def test_pool_combines_estimates_by_term(lowerbound):
    Path("e.csv").write_text(
        "imputation,term,estimate,error\n1,a,10,1\n1,b,0,1\n2,a,12,1\n2,b,0,1\n3,a,11,1\n3,b,0,1\n"
    )
    done = lowerbound("pool", "e.csv", "--degrees", 50)
    assert done.code == 0, done.err
    assert done.out.startswith("a: 11 ± 1.53, 95% interval ")
    found = json.loads(lowerbound("pool", "e.csv", "--json").out)
    assert found["b"]["missing"] == 0 and found["a"]["imputations"] == 3
    assert lowerbound("pool", "e.csv", "--out", "pooled.csv").out == "pooled.csv\n"
    assert rows_of("pooled.csv", ",")[1][:2] == ["a", "11.0"]
    Path("bad.csv").write_text("estimate\n1\n")
    assert "lacks the column 'error'" in lowerbound("pool", "bad.csv").err


def test_a_gap_that_follows_from_another_column_is_worked_out_and_all_else_stays():
    from lowerbound.cli.filling import fill
    from lowerbound.data import read, read_examples
    from lowerbound.data.table import words_of

    generator = np.random.default_rng(0)
    grams = generator.integers(2000, 6000, 200)
    lines = ["grams;pounds;note", *(f"{g};{g / 453.6:.2f};{i % 3}" for i, g in enumerate(grams))]
    Path("t.csv").write_text("\n".join(lines).replace(".", ",") + "\n")
    schema = read("t.csv").schema
    assert [one.name for one in schema.derived] == ["pounds"]
    lines[1:3] = ["4536;;0", f"{grams[1]};9999;1"]
    Path("new.csv").write_text("\n".join(lines).replace(".", ",") + "\n")
    x = read_examples("new.csv", schema)[0].x.numpy()
    none = np.empty(0, int)
    words = words_of(schema, none, none, none, x)
    fill(Path("new.csv"), Path("out.csv"), schema, len(x), [words])
    old, new = rows_of("new.csv"), rows_of("out.csv")
    assert new[1] == ["4536", "10,0", "0"]
    assert new[2:] == old[2:]  # also what breaks the rule
    Path("less.csv").write_text("grams;note\n4536;0\n")
    fill(Path("less.csv"), Path("out.csv"), schema, 1, [words_of(schema, none, none, none, x[:1])])
    assert rows_of("out.csv")[1] == ["4536", "0"]
