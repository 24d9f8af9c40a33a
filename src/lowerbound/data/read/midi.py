"""Melodies of MIDI files and piano rolls, cut into windows at their bar lines."""

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lowerbound.data.notes import Note, Tally
from lowerbound.data.raw import TEST, TRAIN, VALIDATION, Raw
from lowerbound.data.read.files import Entry
from lowerbound.data.reading import Reading
from lowerbound.data.rows import ArrayRows
from lowerbound.data.tunes import DOWN, PITCHES, TOKENS, UP, Sounding, top_voice
from lowerbound.errors import DataError, MissingExtraError

MIDI = (".mid", ".midi", ".smf")
#: Bars of a window where nobody says how many, and sixteenths of a bar of four quarters.
BARS, BAR = 2, 16
#: Sixteenths of the longest piece: a file that claims more is broken.
LONGEST = 2**16
#: Notes of a window: one with fewer is silence, or one long note.
FEWEST = 3
#: Pieces from which on a tenth of them, not of the windows, is held out.
MANY = 10
#: Rows of a roll, and MIDI's number of the lowest.
ROLLS = {PITCHES: 0, 88: 21}


@dataclass(frozen=True)
class Piece:
    """One voice of one file, and where its bars begin; the end of the last one included."""

    name: str
    source: str
    voice: Sounding
    bars: Sequence[int]


def read_midi(entries: Sequence[Entry], options: Reading, where: str) -> Raw:
    """Read the top voice of each track of MIDI files, drums left out.

    Raises:
        DataError: No file holds a melody.
        MissingExtraError: symusic is not installed.
    """
    try:
        import symusic
    except ImportError as error:
        raise MissingExtraError("reading MIDI files", "symusic", "music") from error
    tally, pieces = Tally(), []
    for entry in entries:
        try:
            score: Any = symusic.Score.from_midi(entry.content())
            found = list(_pieces(score, entry.name))
        except DataError as error:
            tally.add(f"files passed over: {error}", entry.name)
            continue
        except (RuntimeError, ValueError, TypeError, ArithmeticError):  # as symusic calls it
            tally.add("files passed over: broken", entry.name)
            continue
        if not found:
            what = "no notes but drums" if any(map(_sounds, score.tracks)) else "no notes in them"
            tally.add(f"files passed over: {what}", entry.name)
        pieces += found
    return raw_of_pieces(pieces, options, where, tally)


def _pieces(score: Any, name: str) -> Iterator[Piece]:
    scale = 4 / score.ticks_per_quarter  # a broken file may have none
    if not score.end() * scale <= LONGEST:
        raise DataError(f"longer than {LONGEST:,} sixteenths")
    changes = {
        round(one.time * scale): max(1, round(16 * one.numerator / one.denominator))
        for one in score.time_signatures
        if one.denominator
    }
    for number, track in enumerate(score.tracks):
        if track.is_drum or not _sounds(track):
            continue
        notes = track.notes.numpy()
        start, length = notes["time"] * scale, notes["duration"] * scale
        if start.min() < 0 or length.min() < 0:
            raise DataError("notes before its beginning")
        voice = top_voice(start, start + length, notes["pitch"])
        label = name if len(score.tracks) == 1 else f"{name}, {track.name or f'track {number + 1}'}"
        yield Piece(label, name, voice, _bars(changes, len(voice.pitch)))


def _sounds(track: Any) -> bool:
    return len(track.notes) > 0


def _bars(changes: dict[int, int], end: int) -> list[int]:
    """Return the first sixteenths of bars, given the lengths that hold from some places on."""
    starts, here = [], 0
    while here < end:
        starts.append(here)
        last = max((place for place in changes if place <= here), default=None)
        here += BAR if last is None else changes[last]
    return [*starts, here]


def read_rolls(raw: Raw, options: Reading) -> Raw:
    """Read piano rolls: `(N, T, P)`, or one, `(T, P)`; P is 128, or the 88 keys of a piano.

    A step is a sixteenth, bars have four quarters, and a note lasts while its cell is not 0: a
    roll does not say where the same note is struck again.

    Raises:
        DataError: They have other shapes, or no note.
    """
    block = raw.rows.read(0, len(raw))
    values = block.values if block.values.ndim == 3 else block.values[None]
    if values.ndim != 3 or values.shape[2] not in ROLLS:
        raise DataError(
            f"piano rolls are (N, T, 128) or (N, T, 88): steps, pitches; {raw.where} is "
            f"{block.values.shape}"
        )
    lowest, pieces = ROLLS[values.shape[2]], []
    for number, roll in enumerate(values > 0):
        top = roll.shape[1] - 1 - roll[:, ::-1].argmax(axis=1)
        pitch = np.where(roll.any(axis=1), top + lowest, -1)
        struck = pitch != np.concatenate([[-1], pitch[:-1]])
        bars = list(range(0, len(pitch) + 1, BAR))
        pieces.append(Piece(f"roll {number}", str(number), Sounding(pitch, struck), bars))
    return raw_of_pieces(pieces, options, raw.where, Tally())


def raw_of_pieces(pieces: Sequence[Piece], options: Reading, where: str, tally: Tally) -> Raw:
    """Cut pieces into windows of some bars that follow one another.

    Args:
        pieces: In their order.
        options: `bars` is how many a window has; `longest` the most sixteenths, beyond which it
            is left out of data to train on, and cut in data for a trained model.
        where: The name in messages.
        tally: Remarks so far.

    Raises:
        DataError: There is no window.
    """
    count = BARS if options.bars is None else options.bars
    longest = options.longest or max(count, 1) * 3 * BAR
    rows, names, sources = [], [], []
    for piece in pieces:
        voice = _padded(piece.voice, piece.bars[-1])
        for bar in range(0, len(piece.bars) - count, count):
            start, stop = piece.bars[bar], piece.bars[bar + count]
            if stop - start > longest and options.recorded:
                tally.add(f"windows cut after {longest} sixteenths, the longest of the training")
                stop = start + longest
            elif stop - start > longest:
                tally.add(f"windows of over {longest} sixteenths left out", piece.name)
                continue
            tokens = voice.tokens(start, stop)
            if (tokens > 2).sum() < FEWEST:
                tally.add(f"windows of fewer than {FEWEST} notes passed over", piece.name)
                continue
            rows.append(tokens)
            names.append(f"{piece.name}, bar {bar + 1}")
            sources.append(piece.source)
    if not rows:
        raise DataError(
            f"{where} holds no melody of {count} bar{'s' * (count > 1)} with {FEWEST} notes or more"
            + "".join(f"; {note}" for note in tally.notes()[:3])
        )
    width = (longest if options.recorded else max(map(len, rows))) + 1
    values = np.zeros((len(rows), width), np.uint8)
    for row, tokens in zip(values, rows, strict=True):
        row[: len(tokens)] = tokens
    part, notes = None, tally.notes()
    if not options.recorded:
        part = _parts(sources)
        what = f"windows of {count} bar{'s' * (count > 1)} from {len(set(sources)):,} pieces"
        kept = "; no piece is both learned from and held out" if part is not None else ""
        notes += (Note(f"{what}, the top voice of each track on a grid of sixteenths{kept}"),)
    if not options.recorded and options.transpose:
        notes += (Note(f"each time a training sees a tune, it is moved by {DOWN} to +{UP} "
                       "semitones; --no-transpose (transpose=False) leaves it"),)  # fmt: skip
    return Raw(
        where,
        ArrayRows(values),
        part=part,
        levels=TOKENS,
        kind="note",
        row_names=tuple(names),
        row_label="tune",
        notes=notes,
        reading=replace(options, longest=width - 1, bars=count, axes="roll"),
    )


def _padded(voice: Sounding, length: int) -> Sounding:
    more = max(0, length - len(voice.pitch))
    return Sounding(np.pad(voice.pitch, (0, more), constant_values=-1),
                    np.pad(voice.struck, (0, more)))  # fmt: skip


def _parts(sources: Sequence[str]) -> np.ndarray | None:
    """Hold out a tenth of the pieces for validation and for test; None where they are few."""
    pieces = sorted(set(sources), key=lambda name: hashlib.blake2b(name.encode()).digest())
    if len(pieces) < MANY:
        return None
    tenth = math.floor(len(pieces) / 10)
    part = dict.fromkeys(pieces, TRAIN)
    part |= dict.fromkeys(pieces[:tenth], TEST) | dict.fromkeys(pieces[tenth : 2 * tenth],
                                                                  VALIDATION)  # fmt: skip
    return np.array([part[name] for name in sources], np.int8)
