"""Series as sparklines: held-out windows with what comes back, samples, the way between two."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from lowerbound.applications import encode, generate, interpolate
from lowerbound.core import device_of
from lowerbound.data import Examples
from lowerbound.report.markup import Html, Missing, Panel, element, joined
from lowerbound.runs import Run
from lowerbound.seeding import seeded

#: Windows of each sheet, steps of a way, and channels of a window that are drawn.
WINDOWS, SAMPLES, STEPS, CHANNELS = 12, 16, 8, 6
#: Draws of p(x|z) from which its band is found, and the ends of the band.
DRAWS, LOW, HIGH = 200, 0.05, 0.95
WIDTH, HEIGHT, SEED = 240.0, 46.0, 0
LEGEND = (("data", "held-out"), ("model", "p(x|z)"))


@dataclass(frozen=True)
class Sparklines:
    """Makes panels of the series of one run.

    Args:
        run: Of series.
        test: Held-out examples, or None.
    """

    run: Run
    test: Examples | None

    def samples(self) -> Panel:
        """Windows drawn from the model."""
        x = generate(self.run.model, SAMPLES, seed=SEED).double().numpy()
        figures = [self._figure(f"sample {i + 1}", model=one) for i, one in enumerate(x)]
        caption = "Drawn from the model: z from the prior, then every cell from p(x|z)."
        return Panel("Samples", element("div", *figures, class_="small"), caption + self._note)

    def reconstructions(self) -> Panel | Missing:
        """Held-out windows and the law of what comes back."""
        if self.test is None:
            return Missing("Reconstructions need the data.")
        some = self.test.few(WINDOWS)
        z = encode(self.run.model, some).groups
        device = device_of(self.run.model)
        with torch.no_grad(), seeded(SEED, device):
            law = self.run.model.decode({name: part.to(device) for name, part in z.items()})
            draws = law.sample(torch.Size([DRAWS])).double().cpu()
        ends = torch.tensor([LOW, 0.5, HIGH], dtype=torch.float64)
        low, middle, high = draws.quantile(ends, dim=0).numpy()
        data = _with_gaps(some.x, some.observed)
        names = some.row_names or [f"window {i + 1}" for i in range(len(some))]
        figures = [
            self._figure(names[i], data=data[i], model=middle[i], band=(low[i], high[i]))
            for i in range(len(some))
        ]
        caption = (
            "Held-out windows, broken where they have gaps, with the median of p(x|z) at the "
            f"posterior mean of z and the band from its {LOW:.0%} to its {HIGH:.0%} quantile."
        )
        sheet = element("div", *figures, class_="small")
        return Panel("Reconstructions", sheet, caption + self._note, LEGEND)

    def interpolations(self) -> Panel | Missing:
        """The way from one held-out window to another."""
        if self.test is None or len(self.test) < 2:
            return Missing("Interpolations need the data.")
        ends = self.test.few(2).x
        way = interpolate(self.run.model, ends[0], ends[1], steps=STEPS).double().numpy()
        figures = [self._figure(f"{i / (STEPS - 1):.0%}", model=one) for i, one in enumerate(way)]
        caption = "Means of p(x|z) on the way between the encodings of two held-out windows."
        return Panel("Between two windows", element("div", *figures, class_="small"), caption)

    @property
    def names(self) -> list[str]:
        """Names of the channels."""
        count = self.run.schema.shape[1]
        return list(self.run.schema.reading.sensors) or [f"channel {i + 1}" for i in range(count)]

    @property
    def _note(self) -> str:
        names = self.names
        shown = ", ".join(names[:CHANNELS])
        if len(names) > CHANNELS:
            return f" From top to bottom the first {CHANNELS} of {len(names)} channels: {shown}."
        return f" From top to bottom: {shown}." if len(names) > 1 else ""

    @cached_property
    def _ranges(self) -> np.ndarray:
        """Least and greatest number drawn of each channel, `(C, 2)`."""
        if self.test is None:
            data = generate(self.run.model, SAMPLES, seed=SEED).double().numpy()
        else:
            data = _with_gaps(self.test.x, self.test.observed)
        flat = data.reshape(-1, data.shape[-1])
        with np.errstate(all="ignore"):
            low, high = np.nanquantile(flat, [0.001, 0.999], axis=0)
        room = 0.1 * np.where(high > low, high - low, 1.0)
        return np.nan_to_num(np.stack([low - room, high + room], axis=1))

    def _figure(
        self,
        name: str,
        *,
        data: np.ndarray | None = None,
        model: np.ndarray | None = None,
        band: tuple[np.ndarray, np.ndarray] | None = None,
    ) -> Html:
        """One window: a sparkline a channel, one below the other."""
        rows, count = [], min(CHANNELS, self.run.schema.shape[1])
        for channel in range(count):
            low, high = self._ranges[channel]

            def place(values: np.ndarray, low: float = low, high: float = high) -> np.ndarray:
                up = HEIGHT * (1 - (values - low) / (high - low))
                return np.clip(up, 1, HEIGHT - 1) + channel * (HEIGHT + 6)  # noqa: B023

            if band is not None:
                upper, lower = (place(edge[:, channel]) for edge in (band[1], band[0]))
                across = np.linspace(0, WIDTH, len(upper))
                there = [f"{x:.1f},{y:.1f}" for x, y in zip(across, upper, strict=True)]
                back = [f"{x:.1f},{y:.1f}" for x, y in zip(across, lower, strict=True)]
                points = " ".join([*there, *back[::-1]])
                rows.append(element("polygon", points=points, class_="band model"))
            for values, kind in ((data, "data"), (model, "model")):
                if values is not None:
                    rows += _lines(place(values[:, channel]), kind)
        size = f"0 0 {WIDTH:g} {count * (HEIGHT + 6):g}"
        chart = element(
            "svg", joined(rows), viewBox=size, role="img", aria_label=name, class_="chart"
        )
        return element("figure", element("div", element("b", name), class_="head"), chart)


def _lines(up: np.ndarray, kind: str) -> list[Html]:
    """Lines between steps, broken at gaps; a step between two gaps is a dot."""
    across = np.linspace(0, WIDTH, len(up))
    known = np.flatnonzero(np.isfinite(up))
    found = []
    for part in np.split(known, np.flatnonzero(np.diff(known) > 1) + 1):
        if len(part) == 1:
            dot = element("circle", cx=float(across[part[0]]), cy=float(up[part[0]]), r=1.2)
            found.append(element("g", dot, class_=f"dots {kind}"))
        elif len(part):
            points = " ".join(f"{across[i]:.1f},{up[i]:.1f}" for i in part)
            found.append(element("polyline", points=points, class_=f"line thin {kind}"))
    return found


def _with_gaps(x: Tensor, observed: Tensor | None) -> np.ndarray:
    values = x.double()
    return (values if observed is None else values.where(observed, torch.nan)).numpy()
