"""Tunes: drawn, there and back, and on the way, as piano rolls; a few to listen to."""

import base64
from dataclasses import dataclass
from io import BytesIO

import numpy as np
import torch

from lowerbound.applications import generate, interpolate, reconstruct
from lowerbound.applications.pictures import contact_sheet
from lowerbound.applications.tunes import alike, rolls, wave_of
from lowerbound.data import Examples
from lowerbound.report.markup import Html, Missing, Panel, element
from lowerbound.runs import Run

SAMPLES, SOUNDS, PAIRS, WAYS, STEPS = 16, 4, 8, 3, 7
#: Samples of sound a second: low, so that the file stays small.
RATE = 11_025
SEED = 0


@dataclass(frozen=True)
class Tunes:
    """Makes panels of the tunes of one run.

    Args:
        run: Of tunes.
        test: Held-out examples, or None.
    """

    run: Run
    test: Examples | None

    def samples(self) -> Panel:
        """Tunes drawn from the model."""
        x = generate(self.run.model, SAMPLES, seed=SEED).numpy()
        sounds = [_sound(tune, f"sample {number + 1}") for number, tune in enumerate(x[:SOUNDS])]
        caption = (
            "Drawn from the model: z from the prior, then sixteenth by sixteenth from p(x|z). "
            f"Time goes to the right, pitch up. The first {SOUNDS} to listen to."
        )
        body = element("div", _sheet(x, 4, "samples"), *sounds, class_="tunes")
        return Panel("Samples", body, caption)

    def reconstructions(self) -> Panel | Missing:
        """Held-out tunes and what comes back."""
        if self.test is None:
            return Missing("Reconstructions need the data.")
        some = self.test.few(PAIRS)
        back = reconstruct(self.run.model, some)
        both = torch.stack([some.x.to(back), back], dim=1).flatten(0, 1)
        sixteenths, notes = alike(some.x, back)
        caption = (
            "Pairs: a held-out tune, and to its right the most probable sixteenths, one after the "
            f"other, at the posterior mean of z. {sixteenths:.0%} of the sixteenths and "
            f"{notes:.0%} of the notes of these tunes come back."
        )
        return Panel("Reconstructions", _sheet(both.numpy(), 4, "reconstructions"), caption)

    def interpolations(self) -> Panel | Missing:
        """Ways from one held-out tune to another."""
        if self.test is None or len(self.test) < 2:
            return Missing("Interpolations need two held-out tunes.")
        ends = self.test.few(2 * WAYS).x
        ways = [
            interpolate(self.run.model, ends[i], ends[i + 1], steps=STEPS)
            for i in range(0, len(ends) - 1, 2)
        ]
        caption = "Each row: the way between the encodings of two held-out tunes, left to right."
        return Panel("Between two tunes", _sheet(torch.cat(ways).numpy(), STEPS, "ways"), caption)


def _sheet(tunes: np.ndarray, columns: int, name: str) -> Html:
    stream = BytesIO()
    contact_sheet(rolls(list(tunes)), columns, gap=6).save(stream, "PNG", optimize=True)
    source = "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode()
    return element("img", src=source, alt=f"piano rolls: {name}", style="max-width:100%")


def _sound(tune: np.ndarray, name: str) -> Html:
    source = "data:audio/wav;base64," + base64.b64encode(wave_of([tune], RATE)).decode()
    return element("audio", src=source, controls="", title=name)
