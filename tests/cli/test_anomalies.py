"""`anomalies`: rows, cells, pictures and streams."""

import csv
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

TINY = ["--set", "network.hidden=8", "--latents", "2", "--no-report"]


@pytest.fixture(scope="session")
def sensors(tmp_path_factory) -> Path:
    """A folder with a table of two columns that belong together, with gaps, and a run on it."""
    from lowerbound.cli import main

    folder = tmp_path_factory.mktemp("sensors")
    generator = np.random.default_rng(0)
    rows = []
    for i in range(400):
        a = generator.normal()
        b = "" if i % 9 == 0 else f"{3 * a + 0.3 * generator.normal():.3f}"
        rows.append(f"{a:.3f},{b},{generator.choice(['on', 'off', 'idle'])}\n")
    (folder / "s.csv").write_text("a,b,state\n" + "".join(rows))
    fit = ["fit", str(folder / "s.csv"), "--out", str(folder / "run"), "--quiet"]
    fast = ["--epochs", "12", "--set", "batch_size=32", "--set", "learning_rate=0.01"]
    assert main([*fit, *fast, *TINY]) == 0
    return folder


def table_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_spoiled_rows_stand_out_and_repeat_to_the_byte(lowerbound, sensors):
    lines = (sensors / "s.csv").read_text().splitlines()[:21]
    Path("new.csv").write_text("\n".join([*lines, "0.1,60,on", ",0.2,off"]) + "\n")
    done = lowerbound(
        "anomalies", sensors / "run", "new.csv", "--fdr", 0.6, "--cells", "cells.csv",
        "--samples", 30,
    )  # fmt: skip
    assert done.code == 0, done.err
    assert done.out.split() == ["anomalies.csv", "cells.csv"]
    rows = table_of(Path("anomalies.csv").read_text())
    assert list(rows[0]) == ["row", "score", "percentile", "p_value", "anomaly", "cell", "nats"]
    spoiled = rows[20]
    assert spoiled["anomaly"] == "True" and spoiled["cell"] == "b"
    assert float(spoiled["percentile"]) == 100 and float(spoiled["nats"]) > 10
    assert "row 20" in done.err or "  20: score" in done.err
    cells = table_of(Path("cells.csv").read_text())
    assert cells[21]["a"] == "" and float(cells[20]["b"]) == float(spoiled["nats"])
    first = Path("anomalies.csv").read_bytes()
    lowerbound("anomalies", sensors / "run", "new.csv", "--fdr", 0.6, "--samples", 30, "--force")
    assert Path("anomalies.csv").read_bytes() == first


def test_a_row_of_gaps_has_no_odd_cell_and_a_new_word_is_named(lowerbound, sensors):
    Path("new.csv").write_text("a,b,state\n,,\n0.1,0.3,broken\n")
    done = lowerbound("anomalies", sensors / "run", "new.csv", "--samples", 10)
    assert done.code == 0, done.err
    gaps, word = table_of(Path("anomalies.csv").read_text())
    assert (gaps["cell"], gaps["nats"]) == ("", "") and "all of it gaps" in done.err
    assert word["cell"] == "state" and float(word["nats"]) > 5


def test_columns_that_are_not_there_are_gaps_if_that_is_said(lowerbound, sensors):
    Path("new.csv").write_text("a,state\n0.1,on\n0.3,off\n")
    judge = ("anomalies", sensors / "run", "new.csv", "--samples", 10)
    done = lowerbound(*judge)
    assert done.code == 1 and "lacks 1 of the model's 3 columns: 'b'" in done.err
    done = lowerbound(*judge, "--allow-missing", "--gaps", "a=0.3")
    assert done.code == 0 and "1 column missing, read as gaps (b)" in done.err
    assert len(table_of(Path("anomalies.csv").read_text())) == 2
    done = lowerbound("anomalies", sensors / "run", "--allow-missing")
    assert done.code == 2 and "say how DATA is read; name it" in done.err


def test_the_own_test_split_is_judged_where_nothing_is_named(lowerbound, sensors):
    done = lowerbound("anomalies", sensors / "run", "--samples", 10, "--out", "odd.parquet")
    assert done.code == 0, done.err
    assert "40 rows" in done.err and done.out == "odd.parquet\n"


def test_a_stream_is_judged_line_by_line(lowerbound, sensors):
    lines = (sensors / "s.csv").read_text().splitlines()[:11]
    Path("log.csv").write_text("\n".join([*lines, "1,2", "0.1,60,on"]) + "\n")
    done = lowerbound("anomalies", sensors / "run", "log.csv", "--follow", "--samples", 10)
    assert done.code == 0, done.err
    rows = table_of(done.out)
    assert [row["row"] for row in rows] == [*map(str, range(10)), "11"]
    assert rows[-1]["cell"] == "b" and float(rows[-1]["percentile"]) == 100
    assert "row 10 is left out" in done.err
    assert "drift" not in done.err


def test_drift_is_told(lowerbound, sensors):
    Path("log.csv").write_text("a,b,state\n" + "5,15,on\n" * 500)
    done = lowerbound("anomalies", sensors / "run", "log.csv", "--follow", "--samples", 4)
    assert done.code == 0, done.err
    assert done.err.count("drift: the 500 rows up to row 499") == 1


def test_images_get_a_map(lowerbound, images: Path, place: Path):
    done = lowerbound(
        "anomalies", images, place / "images.npy", "--map", "odd.png", "--cells", "c.npy",
        "--samples", 5,
    )  # fmt: skip
    assert done.code == 0, done.err
    assert np.load("c.npy").shape == (64, 1, 6, 5)
    with Image.open("odd.png") as sheet:
        assert sheet.size[0] > sheet.size[1]  # sixteen pairs, four in a row


def test_what_cannot_be_judged_is_refused(lowerbound, sensors):
    done = lowerbound("anomalies", sensors / "run", "--fdr", 2)
    assert done.code == 2 and "--fdr must lie" in done.err
    done = lowerbound("anomalies", sensors / "run", "--map", "x.png")
    assert done.code == 2 and "--map is for images" in done.err
    done = lowerbound("anomalies", sensors / "run", "gone.csv", "--follow", "--samples", 2)
    assert done.code == 1 and "no such file" in done.err
    done = lowerbound("anomalies", sensors / "run", "--follow", "--fdr", 0.1)
    assert done.code == 2 and "--follow" in done.err
