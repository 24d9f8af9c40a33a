"""Tunes as tokens: there and back, moved by semitones."""

import numpy as np
import torch

from lowerbound.data.tunes import END, HOLD, LOWEST, REST, Tone, tones_of, top_voice, transposed


def tokens(*notes):
    """Write notes as (start, stop, pitch) and return their tokens."""
    start, stop, pitch = np.array(notes, float).T
    voice = top_voice(start, stop, pitch.astype(int))
    return voice.tokens(0, len(voice.pitch)).tolist()


def test_a_note_begins_goes_on_and_rests():
    found = tokens((0, 2, 60), (3, 4, 62))
    assert found == [LOWEST + 60, HOLD, REST, LOWEST + 62]


def test_the_same_note_struck_again_is_two_notes():
    assert tokens((0, 2, 60), (2, 4, 60)) == [LOWEST + 60, HOLD, LOWEST + 60, HOLD]


def test_of_a_chord_the_highest_note_is_heard():
    assert tokens((0, 2, 60), (0, 2, 67), (0, 2, 64)) == [LOWEST + 67, HOLD]


def test_a_short_note_lasts_a_sixteenth_and_times_move_to_the_grid():
    assert tokens((0.1, 0.2, 60), (0.9, 1.9, 61)) == [LOWEST + 60, LOWEST + 61]


def test_a_window_that_begins_within_a_note_strikes_it():
    voice = top_voice(np.array([0.0]), np.array([4.0]), np.array([60]))
    assert voice.tokens(2, 4).tolist() == [LOWEST + 60, HOLD]


def test_tokens_are_read_as_notes_up_to_the_end():
    row = [LOWEST + 60, HOLD, REST, HOLD, LOWEST + 62, END, LOWEST + 70]
    assert tones_of(np.array(row)) == ([Tone(0, 2, 60), Tone(4, 1, 62)], 5)


def test_transposing_moves_all_notes_of_a_tune_alike_and_nothing_else():
    x = torch.tensor([[LOWEST + 60, HOLD, REST, LOWEST + 64, END, END]] * 200, dtype=torch.uint8)
    torch.manual_seed(0)
    moved = transposed(x)
    assert moved.dtype == x.dtype
    shift = moved.int() - x.int()
    assert (shift[:, 0] == shift[:, 3]).all() and (shift[:, [1, 2, 4, 5]] == 0).all()
    assert shift[:, 0].unique().tolist() == list(range(-5, 7))


def test_a_tune_at_the_edge_of_midi_is_not_moved_beyond_it():
    x = torch.tensor([[LOWEST + 2, LOWEST + 127]] * 50, dtype=torch.uint8)
    assert bool((transposed(x) >= LOWEST).all())
    shift = transposed(x).int() - x.int()
    assert set(shift[:, 1].tolist()) <= {-2, -1, 0}
