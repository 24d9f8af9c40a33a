"""A run on tunes: heard, seen, and on the way between two."""

import numpy as np
import pytest

from lowerbound.cli import main


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tunes")
    rolls = np.zeros((60, 32, 128), np.uint8)
    for number, roll in enumerate(rolls):
        roll[np.arange(32), 40 + number + np.arange(32) // 4 * (number % 5 + 1) % 7] = 1
    np.save(folder / "rolls.npy", rolls)
    tiny = ["--epochs", "1", "--set", "hidden=8", "--latents", "3"]
    code = main(["fit", str(folder / "rolls.npy"), "--axes", "roll", "--out", str(folder / "run"),
                 "--quiet", *tiny])  # fmt: skip
    assert code == 0
    return folder


def test_generate_writes_midi_sound_a_roll_and_tokens(lowerbound, place, tmp_path):
    starts = {".mid": b"MThd", ".wav": b"RIFF", ".png": b"\x89PNG", ".npy": b"\x93NUMPY"}
    for ending, start in starts.items():
        done = lowerbound("generate", place / "run", "--count", "3", "--out", f"new{ending}")
        assert done.code == 0, done.err
        assert (tmp_path / f"new{ending}").read_bytes().startswith(start)
    assert np.load("new.npy").shape == (3, 33)


def test_tunes_have_no_gaps_to_fill(lowerbound, place):
    done = lowerbound("impute", place / "run", place / "rolls.npy")
    assert done.code == 2 and "tunes of up to 32 sixteenths have no gaps" in done.err


def test_tunes_come_back_and_the_share_is_told(lowerbound, place, tmp_path):
    done = lowerbound("reconstruct", place / "run", place / "rolls.npy", "--out", "back.mid")
    assert done.code == 0, done.err
    assert "of the sixteenths come back" in done.out + done.err
    assert (tmp_path / "back.mid").read_bytes().startswith(b"MThd")
    assert lowerbound("reconstruct", place / "run", "--out", "pairs.png").code == 0


def test_the_way_between_two_tunes_is_one_file(lowerbound, place, tmp_path):
    done = lowerbound("interpolate", place / "run", "--from", "0", "--to", "1", "--out", "way.mid")
    assert done.code == 0, done.err
    assert (tmp_path / "way.mid").exists()


def test_the_report_shows_rolls_and_holds_sound(place):
    report = (place / "run" / "report.html").read_text()
    assert report.count("data:audio/wav;base64,") == 4
    assert "piano rolls: reconstructions" in report and "piano rolls: ways" in report


def test_odd_tunes_are_found_by_name(lowerbound, place, tmp_path):
    done = lowerbound("anomalies", place / "run", place / "rolls.npy", "--samples", "4")
    assert done.code == 0, done.err
    head, first, *_ = (tmp_path / "anomalies.csv").read_text().splitlines()
    assert head.startswith("tune,score,percentile,p_value")
    assert "roll" in first
