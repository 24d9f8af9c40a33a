"""MIDI files and piano rolls as people have them."""

import numpy as np
import pytest
import torch

import lowerbound as lb
from lowerbound.applications.tunes import midi_of
from lowerbound.data import read_examples
from lowerbound.data.read.midi import _bars
from lowerbound.data.tunes import HOLD, LOWEST, REST
from lowerbound.errors import DataError, SettingError


@pytest.fixture(scope="module")
def tunes():
    return lb.read("tunes")


def folder_of(tmp_path, tunes, pieces=12, windows=2):
    """Write a folder of MIDI files; return it and its windows."""
    rows = tunes.train.x.numpy()[: pieces * windows].reshape(pieces, windows, -1)
    for number, piece in enumerate(rows):
        (tmp_path / f"{number}.mid").write_bytes(midi_of(list(piece)))
    return tmp_path, rows.reshape(pieces * windows, -1)


def rows_of(data):
    parts = [part.x for part in (data.train, data.validation, data.test)]
    return sorted(map(tuple, torch.cat(parts).tolist()))


def test_what_was_written_as_midi_is_read_back(tmp_path, tunes):
    pytest.importorskip("symusic")
    folder, rows = folder_of(tmp_path, tunes)
    data = lb.read(str(folder))
    assert data.schema.describe() == "tunes of up to 32 sixteenths"
    assert rows_of(data) == sorted(map(tuple, rows.tolist()))


def test_broken_silent_and_endless_files_are_named_and_passed_over(tmp_path, tunes):
    symusic = pytest.importorskip("symusic")
    folder, rows = folder_of(tmp_path, tunes)
    (folder / "broken.mid").write_bytes(b"MThd\0\0\0\6 nothing")
    symusic.Score(480).dump_midi(folder / "silent.mid")
    long = symusic.Score(480)
    long.tracks.append(symusic.Track())
    long.tracks[0].notes.append(symusic.Note(2**27, 10, 60, 60))
    long.dump_midi(folder / "endless.mid")
    header, track = b"MThd\0\0\0\6\0\0\0\1\0\0", b"MTrk\0\0\0\4\0\xff\x2f\0"
    (folder / "timeless.mid").write_bytes(header + track)  # no ticks in a quarter: by zero divided
    drums = symusic.Score(480)
    drums.tracks.append(symusic.Track(is_drum=True))
    drums.tracks[0].notes.append(symusic.Note(0, 480, 36, 60))
    drums.dump_midi(folder / "drums.mid")
    data = lb.read(str(folder))
    notes = " ".join(map(str, data.notes))
    assert "2 files passed over: broken (broken.mid, timeless.mid)" in notes
    assert "passed over: no notes but drums (drums.mid)" in notes
    assert "passed over: no notes in them (silent.mid)" in notes
    assert "longer than 65,536 sixteenths (endless.mid)" in notes
    assert rows_of(data) == sorted(map(tuple, rows.tolist()))


def test_drums_are_left_out_and_other_tracks_are_tunes_of_their_own(tmp_path):
    symusic = pytest.importorskip("symusic")
    score = symusic.Score(4)
    for drums, pitches in ((False, (60, 62)), (False, (48, 47)), (True, (35, 36))):
        track = symusic.Track(is_drum=drums)
        for time in range(0, 32 * 12, 4):
            track.notes.append(symusic.Note(time, 4, pitches[time * 7 % 11 % 2] + time // 64, 90))
        score.tracks.append(track)
    score.dump_midi(tmp_path / "band.mid")
    data = lb.read(str(tmp_path / "band.mid"))
    assert len(data.train) + len(data.validation) + len(data.test) == 24


def test_bars_follow_the_time_signature():
    assert _bars({}, 33) == [0, 16, 32, 48]
    assert _bars({0: 12, 24: 16}, 41) == [0, 12, 24, 40, 56]


def test_a_piano_roll_is_a_tune_from_its_highest_notes():
    rolls = np.zeros((20, 32, 88), bool)
    for number, roll in enumerate(rolls):
        roll[:16, number] = roll[16:24, number + 2] = roll[28:, number + 4] = True
        roll[:, 0] |= roll.any(axis=1)
    data = lb.read(rolls, axes="roll")
    row = min(rows_of(data), key=lambda row: row[0])
    low = LOWEST + 21
    assert row == (low, *[HOLD] * 15, low + 2, *[HOLD] * 7, *[REST] * 4, low + 4, *[HOLD] * 3, 0)


def test_an_array_that_is_no_roll_is_refused_in_a_line():
    with pytest.raises(DataError, match=r"\(N, T, 128\)"):
        lb.read(np.zeros((20, 32, 5)), axes="roll")
    with pytest.raises(DataError, match="no melody"):
        lb.read(np.zeros((20, 32, 128)), axes="roll")


def test_no_piece_is_on_two_sides_of_the_split(tunes):
    names = [
        {name.partition(",")[0] for name in part.row_names}
        for part in (tunes.train, tunes.validation, tunes.test)
    ]
    assert sum(map(len, names)) == len(set.union(*names)) == 400


def test_training_moves_tunes_and_held_out_ones_stay(tunes):
    torch.manual_seed(0)
    some = slice(0, 50)
    assert not torch.equal(tunes.train.draw(some).x, tunes.train.x[some])
    assert torch.equal(tunes.train.batch(some).x, tunes.train.x[some])
    still = lb.read("tunes", transpose=False).train
    assert torch.equal(still.draw(some).x, still.x[some])


def test_new_tunes_are_stored_as_those_of_the_training(tunes):
    roll = np.zeros((64, 128))
    roll[np.arange(64), 60 + np.arange(64) // 4 % 5] = 1
    examples, _ = read_examples(roll, tunes.schema)
    assert examples.x.shape == (2, 33)


def test_bars_of_a_window_can_be_chosen_and_are_checked():
    assert lb.read("tunes", bars=4).schema.shape == (65,)
    with pytest.raises(SettingError, match="bars"):
        lb.read("tunes", bars=0)
