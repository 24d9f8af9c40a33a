"""Tunes as files: MIDI, sound, pictures."""

import io
import wave

import numpy as np
import torch

from lowerbound.applications.tunes import HIGH, RATE, WIDE, alike, midi_of, rolls, wave_of
from lowerbound.data.tunes import HOLD, LOWEST, REST

TUNE = np.array([LOWEST + 69, HOLD, HOLD, HOLD, REST, REST, LOWEST + 72, HOLD, 0, 0])


def test_midi_holds_each_note_at_its_time():
    content = midi_of([TUNE])
    assert content[:14] == b"MThd\0\0\0\6\0\0\0\1" + (480).to_bytes(2)
    assert content[14:18] == b"MTrk"
    track = content[22:]
    assert len(track) == int.from_bytes(content[18:22])
    body = track[7:]
    first = bytes([0, 0x90, 69, 96, 0x83, 0x60, 0x80, 69, 0])  # 480 ticks are 0x83 0x60
    assert body[:9] == first
    assert body[9:] == bytes([0x81, 0x70, 0x90, 72, 96, 0x81, 0x70, 0x80, 72, 0, 0, 0xFF, 0x2F, 0])


def test_tunes_follow_one_another_in_a_file():
    assert midi_of([TUNE, TUNE]).count(bytes([0x90, 69])) == 2


def test_a_note_sounds_at_its_pitch_and_for_its_time():
    with wave.open(io.BytesIO(wave_of([TUNE]))) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (RATE, 1, 2)
        sound = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(float)
    first, rest = sound[: RATE // 2], sound[int(0.61 * RATE) : int(0.74 * RATE)]
    loudest = np.abs(np.fft.rfft(first)).argmax() * RATE / len(first)
    assert abs(loudest - 440) < 3
    assert np.abs(rest).max() == 0 < np.abs(first).max()
    second = sound[int(0.76 * RATE) : int(0.96 * RATE)]  # three semitones higher
    loudest = np.abs(np.fft.rfft(second)).argmax() * RATE / len(second)
    assert abs(loudest - 440 * 2**0.25) < 5


def test_a_roll_has_notes_where_they_sound():
    (picture,) = rolls([TUNE])
    assert picture.shape == (6 * HIGH, 8 * WIDE + 1, 1)
    low, high = picture[4 * HIGH + 1, :, 0], picture[HIGH + 1, :, 0]
    assert (low[: 4 * WIDE] < 200).all() and (low[4 * WIDE : -1] == 255).all()
    assert (high[6 * WIDE : 8 * WIDE] < 200).all() and (high[1 : 6 * WIDE] == 255).all()


def test_a_tune_of_nothing_is_an_empty_file_and_picture():
    empty = np.zeros(4, int)
    assert midi_of([empty]).endswith(b"\0\xff\x2f\0")
    assert rolls([empty]).shape[2] == 1
    assert len(wave_of([empty])) > 44


def test_what_came_back_is_counted_up_to_the_end_and_by_note():
    x = torch.tensor([[LOWEST + 60, HOLD, LOWEST + 62, 0, 0]], dtype=torch.uint8)
    back = torch.tensor([[LOWEST + 60, HOLD, HOLD, 0, 9]])
    assert alike(x, back) == (0.75, 0.5)
    assert alike(x, x.long()) == (1.0, 1.0)
