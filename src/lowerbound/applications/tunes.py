"""Tunes as a person hears and sees them: MIDI, sound, piano rolls."""

import io
import struct
import wave
from collections.abc import Sequence

import numpy as np
from torch import Tensor

from lowerbound.data.tunes import END, LOWEST, Tone, in_a_row, tones_of

#: Quarters a minute, and ticks of a sixteenth in a MIDI file.
TEMPO, TICKS = 120, 120
#: Samples of sound a second, and seconds of a sixteenth.
RATE, SIXTEENTH = 22_050, 60 / TEMPO / 4
#: Harmonics of a note, how fast it fades, per second, and how long it rings on, in seconds.
HARMONICS, FADING, RINGING = 4, 3.0, 0.1
#: Pixels of a sixteenth and of a semitone; sixteenths between two lines.
WIDE, HIGH, BAR = 4, 3, 16


def midi_of(tunes: Sequence[np.ndarray]) -> bytes:
    """Write tunes `(T,)` one after the other as a MIDI file of one track.

    Source: Standard MIDI Files 1.0 (MIDI Manufacturers Association, 1996).
    """
    tones, length = in_a_row(tunes)
    events = [(tone.start * TICKS, bytes([0x90, tone.pitch, 96])) for tone in tones]
    events += [((tone.start + tone.length) * TICKS, bytes([0x80, tone.pitch, 0])) for tone in tones]
    events.append((length * TICKS, b"\xff\x2f\x00"))
    # at one moment notes end (0x80) before others begin (0x90), and the track (0xff) ends last
    events.sort(key=lambda event: (event[0], event[1][0]))
    track, now = bytearray(b"\0\xff\x51\x03" + (60_000_000 // TEMPO).to_bytes(3)), 0
    for time, event in events:
        track += _length(time - now) + event
        now = time
    head = b"MThd" + struct.pack(">IHHH", 6, 0, 1, 4 * TICKS)
    return head + b"MTrk" + struct.pack(">I", len(track)) + bytes(track)


def _length(ticks: int) -> bytes:
    """Write a number seven bits a byte, all but the last marked."""
    parts = [ticks & 0x7F]
    while ticks := ticks >> 7:
        parts.append(0x80 | ticks & 0x7F)
    return bytes(reversed(parts))


def wave_of(tunes: Sequence[np.ndarray], rate: int = RATE) -> bytes:
    """Sound tunes `(T,)` one after the other, as a WAV file of one channel.

    Args:
        tunes: Tokens.
        rate: Samples a second.
    """
    tones, length = in_a_row(tunes)
    sound = np.zeros(int((length * SIXTEENTH + RINGING) * rate) + rate // 10)
    for tone in tones:
        start, own = int(tone.start * SIXTEENTH * rate), _sound(tone, rate)
        sound[start : start + len(own)] += own[: len(sound) - start]
    loudest = max(1.0, float(np.abs(sound).max(initial=0.0)))
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes((sound / loudest * 0.8 * 32767).astype("<i2").tobytes())
    return file.getvalue()


def _sound(tone: Tone, rate: int) -> np.ndarray:
    lasts = tone.length * SIXTEENTH
    t = np.arange(int((lasts + RINGING) * rate)) / rate
    pitch = 440.0 * 2 ** ((tone.pitch - 69) / 12)
    parts = [k for k in range(1, HARMONICS + 1) if k * pitch < rate / 2]
    swing = sum((np.sin(2 * np.pi * k * pitch * t) / k**2 for k in parts), start=0.0 * t)
    fade = np.exp(-FADING * t) * np.clip((lasts + RINGING - t) / RINGING, 0, 1)
    return swing * fade * np.minimum(1.0, t / 0.01)


def rolls(tunes: Sequence[np.ndarray]) -> np.ndarray:
    """Draw piano rolls `(N, H, W, 1)`, uint8: time to the right, pitch up, one scale for all.

    Where a note begins it is black; a line marks each bar of four quarters and the end.
    """
    found = [tones_of(tune) for tune in tunes]
    pitches = [tone.pitch for tones, _ in found for tone in tones] or [60]
    low, high = min(pitches) - 1, max(pitches) + 1
    longest = max(length for _, length in found)
    sheet = np.full((len(found), (high - low + 1) * HIGH, longest * WIDE + 1, 1), 255, np.uint8)
    for picture, (tones, length) in zip(sheet, found, strict=True):
        for bar in (*range(0, length, BAR), length):
            picture[:, bar * WIDE] = 200
        for tone in tones:
            top = (high - tone.pitch) * HIGH
            left, right = tone.start * WIDE, (tone.start + tone.length) * WIDE
            picture[top : top + HIGH, left:right] = 110
            picture[top : top + HIGH, left : left + 2] = 0
    return sheet


def alike(x: Tensor, back: Tensor) -> tuple[float, float]:
    """Return the shares of sixteenths, ends included, and of notes that came back.

    Args:
        x: Tunes `(N, T)`.
        back: Their reconstructions, likewise. A note came back if it begins where it did.
    """
    same, ends = x.to(back) == back, x == END
    counts = ends.cumsum(dim=1) - ends.int() == 0
    return float(same[counts].double().mean()), float(same[x >= LOWEST].double().mean())
