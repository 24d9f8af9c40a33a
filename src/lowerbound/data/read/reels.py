"""Tunes made by rule: a set that needs no files and has no owner."""

import numpy as np

from lowerbound.data.read.midi import BAR, Piece
from lowerbound.data.tunes import Sounding

#: Tunes, bars of each, and the seed that they are made from.
TUNES, BARS, SEED = 400, 8, 1
#: Semitones of the steps of a scale above its first: major, and Dorian minor.
SCALES = ((0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 9, 10))
#: First notes of scales, by MIDI's number: from A below middle C to G.
KEYS = (57, 59, 60, 62, 64, 65, 67)
#: Steps of the scale that the chords of four bars are built on.
CHORDS = ((0, 3, 4, 0), (0, 0, 4, 0), (0, 5, 3, 4), (0, 4, 5, 4))
#: Lengths of the notes of a bar, in sixteenths.
RHYTHMS = (
    (2, 2, 2, 2, 2, 2, 2, 2), (4, 2, 2, 4, 2, 2), (4, 4, 2, 2, 4), (2, 2, 4, 2, 2, 4),
    (6, 2, 4, 4), (2, 1, 1, 2, 2, 2, 1, 1, 2, 2),
)  # fmt: skip
LAST = (4, 4, 8)


def reels() -> list[Piece]:
    """Make the tunes, the same everywhere: two phrases of four bars, which begin alike.

    On the beats stand notes of the bar's chord, between them steps of the scale.
    """
    draw = np.random.RandomState(SEED)  # its stream is fixed for good, that of Generator is not
    return [
        Piece(f"tune {number + 1}", str(number), _tune(draw), range(0, BARS * BAR + 1, BAR))
        for number in range(TUNES)
    ]


def _tune(draw: np.random.RandomState) -> Sounding:
    scale, key = SCALES[draw.randint(2)], KEYS[draw.randint(len(KEYS))]
    chords = CHORDS[draw.randint(len(CHORDS))]
    rhythms = [RHYTHMS[draw.randint(len(RHYTHMS))] for _ in range(2)]
    bars: list[list[tuple[int, int]]] = []
    step = int(draw.randint(7))
    for place in range(BARS):
        if place in (4, 5):  # the second phrase begins as the first
            bars.append(bars[place - 4])
            continue
        last = place == BARS - 1
        bar, time = [], 0
        for length in LAST if last else rhythms[place % 2]:
            step += int(draw.randint(-1, 2)) or (1 if step < 5 else -1)
            if time % 4 == 0:  # to the nearest of the chord's three notes
                root = chords[place % 4]
                near = [root + third + 7 * k for third in (0, 2, 4) for k in (-2, -1, 0, 1)]
                step = min(near, key=lambda one: abs(one - step))
            step = int(np.clip(step, -3, 11))
            bar.append((length, step))
            time += length
        if last:
            bar[-1] = (bar[-1][0], 0 if step < 4 else 7)
        bars.append(bar)
    pitch, struck = [], []
    for length, step in (note for bar in bars for note in bar):
        pitch += [key + scale[step % 7] + 12 * (step // 7)] * length
        struck += [True] + [False] * (length - 1)
    return Sounding(np.array(pitch), np.array(struck))
