"""Melodies as tokens: one a sixteenth note, of one voice."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

#: Tokens: 0 ends a tune; what sounds goes on; nothing sounds; a note of pitch 0, 1, ... 127 begins.
END, HOLD, REST, LOWEST = 0, 1, 2, 3
PITCHES = 128
TOKENS = LOWEST + PITCHES
#: Semitones that a tune is moved by at least and at most while a training sees it.
DOWN, UP = -5, 6


class Sounding(NamedTuple):
    """One voice on the grid of sixteenths.

    Args:
        pitch: Int64 `(T,)`, MIDI's number; -1 where nothing sounds.
        struck: Bool `(T,)`: whether a note begins.
    """

    pitch: np.ndarray
    struck: np.ndarray

    def tokens(self, start: int, stop: int) -> np.ndarray:
        """Return the tokens of a part, uint8, without an end; a note that goes on begins anew."""
        pitch, struck = self.pitch[start:stop], self.struck[start:stop].copy()
        struck[:1] = True
        return np.where(pitch < 0, REST, np.where(struck, LOWEST + pitch, HOLD)).astype(np.uint8)


def top_voice(start: np.ndarray, stop: np.ndarray, pitch: np.ndarray) -> Sounding:
    """Take at each sixteenth the highest note that sounds.

    Args:
        start: Where notes begin, in sixteenths, `(N,)`; moved to the grid.
        stop: Where they end, likewise; a note lasts a sixteenth at least.
        pitch: `(N,)`, 0 to 127.
    """
    first = np.round(start).astype(np.int64)
    last = np.maximum(np.round(stop).astype(np.int64), first + 1)
    owner = np.full(int(last.max(initial=0)), -1)
    order = np.lexsort((first, pitch))
    for note in order:
        owner[first[note] : last[note]] = note
    padded = np.append(np.asarray(pitch, np.int64), -1)
    return Sounding(padded[owner], owner != np.concatenate([[-1], owner[:-1]]))


class Tone(NamedTuple):
    """A note: where it begins and how long it lasts, in sixteenths, and its pitch."""

    start: int
    length: int
    pitch: int


def tones_of(tokens: np.ndarray) -> tuple[list[Tone], int]:
    """Return the notes of a tune `(T,)`, and how many sixteenths it lasts.

    A token that continues where nothing sounds is a rest.
    """
    tones: list[Tone] = []
    sounds, length = False, 0
    for token in np.asarray(tokens, np.int64).tolist():
        if token == END:
            break
        if token >= LOWEST:
            tones.append(Tone(length, 1, token - LOWEST))
        elif token == HOLD and sounds:
            tones[-1] = tones[-1]._replace(length=tones[-1].length + 1)
        sounds = token >= LOWEST or (token == HOLD and sounds)
        length += 1
    return tones, length


def in_a_row(tunes: Iterable[np.ndarray]) -> tuple[list[Tone], int]:
    """Put tunes one after the other: their notes, and how many sixteenths they last."""
    tones, end = [], 0
    for tune in tunes:
        own, length = tones_of(tune)
        tones += [tone._replace(start=tone.start + end) for tone in own]
        end += length
    return tones, end


def transposed(tokens: Tensor) -> Tensor:
    """Move each tune of `(B, T)` by -5 to +6 semitones, drawn from the random state.

    A tune that would leave MIDI's pitches stays where it is.
    """
    shift = torch.randint(DOWN, UP + 1, (len(tokens), 1), device=tokens.device)
    moved, pitched = tokens.long() + shift, tokens >= LOWEST
    fits = (~pitched | ((moved >= LOWEST) & (moved < TOKENS))).all(dim=1, keepdim=True)
    return torch.where(pitched & fits, moved, tokens.long()).to(tokens.dtype)
