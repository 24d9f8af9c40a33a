"""A recording from its file to results for every step."""

import csv
import datetime
import os

import numpy as np
import pytest

from lowerbound.cli import main

STEPS, OFF = 400, (50, 51)
TINY = ["--epochs", "1", "--latents", "2", "--set", "channels=4", "--set", "network.width=8"]


@pytest.fixture(scope="module")
def sensors(tmp_path_factory):
    """A folder with a run on a recording that has gaps."""
    folder = tmp_path_factory.mktemp("sensors")
    values = np.random.default_rng(0).normal(size=(STEPS, 2)) * [1, 50] + [20, 1000]
    lines = ["when,temp,pressure"]
    for i in range(STEPS):
        when = datetime.datetime(2024, 1, 1) + datetime.timedelta(minutes=i)
        warm = "" if i % 37 == 3 else f"{values[i, 0]:.2f}"
        lines += [] if i in OFF else [f"{when},{warm},{values[i, 1]:.1f}"]
    (folder / "s.csv").write_text("\n".join(lines) + "\n")
    asked = ["--time", "when", "--window", "16", "--out", str(folder / "run"), *TINY]
    assert main(["fit", str(folder / "s.csv"), *asked, "--quiet"]) == os.EX_OK
    return folder


def rows_of(path):
    with open(path) as file:
        return list(csv.DictReader(file))


def test_data_says_how_a_recording_is_cut(lowerbound, sensors):
    done = lowerbound("data", sensors / "s.csv", "--time", "when", "--window", "16")
    assert done.code == os.EX_OK
    assert "one recording of 400 steps, cut into" in done.out
    assert "no step lies in two parts" in done.out


def test_every_step_is_filled_and_known_cells_are_as_they_were(lowerbound, sensors):
    done = lowerbound(
        "impute", sensors / "run", sensors / "s.csv", "--samples", "20", "--out", "filled.csv",
        "--errors", "gaps.csv",
    )  # fmt: skip
    assert done.code == os.EX_OK, done.err
    filled = {row["when"]: row for row in rows_of("filled.csv")}
    assert len(filled) == STEPS
    assert all(row["temp"] and row["pressure"] for row in filled.values())
    for row in rows_of(sensors / "s.csv"):
        for name in ("temp", "pressure"):
            if row[name]:
                assert float(filled[row["when"]][name]) == float(row[name])
    gaps = rows_of("gaps.csv")
    assert len(gaps) == 11 + 2 * len(OFF)
    assert all(float(row["low"]) <= float(row["high"]) for row in gaps)
    assert {"2024-01-01 00:50:00", "2024-01-01 00:51:00"} <= {row["when"] for row in gaps}


def test_every_step_and_every_window_is_judged(lowerbound, sensors):
    done = lowerbound(
        "anomalies", sensors / "run", sensors / "s.csv", "--samples", "5", "--cells", "steps.csv"
    )
    assert done.code == os.EX_OK, done.err
    steps = rows_of("steps.csv")
    assert len(steps) == STEPS
    assert steps[OFF[0]]["temp"] == ""
    windows = rows_of("anomalies.csv")
    assert windows[0]["window"] == "2024-01-01 00:00:00"
    assert windows[0]["cell"].split(", step ")[0] in ("temp", "pressure")


def test_codes_have_the_time_at_which_their_window_begins(lowerbound, sensors):
    done = lowerbound("encode", sensors / "run", sensors / "s.csv", "--out", "z.csv")
    assert done.code == os.EX_OK, done.err
    codes = rows_of("z.csv")
    assert [row["window"][11:16] for row in codes[:2]] == ["00:00", "00:08"]
    assert len(codes) == 49


def test_samples_are_steps_in_the_units_of_the_data(lowerbound, sensors):
    done = lowerbound("generate", sensors / "run", "--count", "4", "--out", "new.csv")
    assert done.code == os.EX_OK, done.err
    new = rows_of("new.csv")
    assert list(new[0]) == ["window", "step", "temp", "pressure"]
    assert len(new) == 4 * 16
    assert 900 < np.mean([float(row["pressure"]) for row in new]) < 1100
    done = lowerbound("generate", sensors / "run", "--count", "4", "--out", "new.npy")
    assert np.load("new.npy").shape == (4, 16, 2)


def test_reconstructions_and_ways_are_written(lowerbound, sensors):
    for command in ("reconstruct", "interpolate"):
        done = lowerbound(command, sensors / "run", sensors / "s.csv", "--out", f"{command}.csv")
        assert done.code == os.EX_OK, done.err
    assert len(rows_of("reconstruct.csv")) == 49 * 16
    assert len(rows_of("interpolate.csv")) == 8 * 16


def test_draws_of_overlapping_windows_are_refused(lowerbound, sensors):
    done = lowerbound("impute", sensors / "run", sensors / "s.csv", "--draws", "3")
    assert done.code != os.EX_OK
    assert "overlap" in done.err


def test_the_report_draws_windows(sensors):
    page = (sensors / "run" / "report.html").read_text()
    assert 'class="band model"' in page
    assert "Held-out windows" in page
