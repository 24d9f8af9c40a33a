"""The latent space: where examples lie in it, and how much each unit carries."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lowerbound.applications import encode
from lowerbound.core import units_of
from lowerbound.data import Examples
from lowerbound.evaluation import ACTIVE_THRESHOLD, Evaluation, evidence
from lowerbound.report.axis import CHARACTER, Axis, number
from lowerbound.report.charts import Chart
from lowerbound.report.markup import Missing, Panel
from lowerbound.report.pictures import class_name
from lowerbound.runs import Run
from lowerbound.seeding import seeded

#: Points on the map.
MOST_POINTS = 2000
#: Classes that can be told apart by colour and form.
MOST_CLASSES = 16
#: Bars of single units.
MOST_BARS = 64
#: Latents from which on the principal components are found by a randomised method.
MANY = 512


@dataclass(frozen=True)
class Latents:
    """The latent units as far as they are known.

    Attributes:
        units: Their number.
        rates: Of each unit, nats; None where they cannot be told apart.
        active: True for units that are active; None without examples.
        means: Posterior means of some held-out examples, `(N, D)`; None without examples.
        examples: The examples shown.
    """

    units: int
    rates: tuple[float, ...] | None
    active: tuple[bool, ...] | None
    means: Tensor | None
    examples: Examples | None

    @property
    def order(self) -> list[int]:
        """The units, those that carry most first."""
        if self.rates is not None:
            strength: Sequence[float] = self.rates
        elif self.means is not None and len(self.means) > 1:
            strength = self.means.var(dim=0).tolist()
        else:
            strength = [0.0] * self.units
        return sorted(range(self.units), key=lambda unit: -strength[unit])


def latents_of(run: Run, test: Examples | None, evaluation: Evaluation | None) -> Latents:
    """Find rates, activity and posterior means on some held-out examples."""
    units = units_of(run.model.latents)
    rates = None if evaluation is None else evaluation.unit_rate
    if test is None:
        return Latents(units, rates, None, None, None)
    total = min(len(test), MOST_POINTS)
    some = test.select(torch.arange(total) * len(test) // total)
    means = encode(run.model, some).mean.double()
    if evaluation is None:
        found = evidence(run.model, some, 1, seed=0).unit_rate
        rates = None if found is None else tuple(found.tolist())
    if rates is not None and not (len(rates) == units and all(map(math.isfinite, rates))):
        rates = None
    variance = means.var(dim=0, unbiased=False)
    return Latents(units, rates, tuple((variance > ACTIVE_THRESHOLD).tolist()), means, some)


def unit_bars(latents: Latents) -> Panel | Missing:
    """Draw the rate of each unit, sorted."""
    if latents.rates is None:
        return Missing(
            "The rate of single units is not shown: without the data it is not known, and units "
            "have none where the prior (a mixture, as after a refit) or the posterior ties them."
        )
    order = latents.order
    shown = order[:MOST_BARS]
    rates = [latents.rates[unit] for unit in shown]
    y = Axis("rate (nats)", 0.0, max(*rates, 0.1) * 1.05)
    x = Axis("latent unit", -0.5, len(shown) - 0.5)
    widest = max(len(str(unit)) for unit in shown) * CHARACTER
    room = 430 / len(shown)
    every = max(1, -(-int(widest + 3) // max(1, int(room))))
    ticks = [(float(i), str(unit)) for i, unit in enumerate(shown) if i % every == 0]
    if every > 1:
        x, ticks = Axis("latent units, sorted (point at a bar for its index)", x.low, x.high), []
    chart = Chart(x, y, "Rate of each latent unit", x_ticks=ticks)
    half = min(0.4, 0.06 * len(shown))
    for place, unit in enumerate(shown):
        idle = latents.active is not None and not latents.active[unit]
        title = f"unit {unit}: {number(latents.rates[unit], 3)} nats{', inactive' if idle else ''}"
        class_ = "idle" if idle else "active"
        chart.bar(place - half, place + half, latents.rates[unit], class_, title)
    caption = "The nats that each unit tells about an example, on average: its KL(q ∥ p)."
    if latents.active is not None:
        idle = latents.units - sum(latents.active)
        caption += (
            f" Grey: {_units(idle)} whose posterior mean hardly varies (variance "
            f"below {ACTIVE_THRESHOLD:g}) over these examples."
            if idle
            else " Every unit is active."
        )
    if len(order) > len(shown):
        rest = sum(latents.rates[unit] for unit in order[MOST_BARS:])
        caption += f" Not shown: {_units(len(order) - MOST_BARS)}, {number(rest, 3)} nats in all."
    some_idle = latents.active is not None and not all(latents.active)
    legend = (("active", "active"), ("idle", "inactive")) if some_idle else ()
    return Panel("Rate of each unit", chart.svg(), caption, legend)


def latent_map(latents: Latents) -> Panel | Missing:
    """Draw posterior means of held-out examples in two dimensions."""
    means, examples = latents.means, latents.examples
    if means is None or examples is None:
        return Missing("The map of the latent space needs the data.")
    if latents.units == 1:
        return Missing("One latent unit makes a line, not a map.")
    if len(means) < 3 or not bool(torch.isfinite(means).all()):
        return Missing("The map of the latent space needs at least three finite posterior means.")
    if latents.units == 2:
        points, labels = means, ("z0", "z1")
        words = "Its two axes are the two latent units."
    else:
        points, parts = principal(means)
        labels = (f"component 1 ({parts[0]:.0%})", f"component 2 ({parts[1]:.0%})")
        words = (
            "Its axes are the first two principal components of these means, which hold "
            f"{parts[0] + parts[1]:.0%} of their variance; points on top of each other here may "
            "be far apart in the others."
        )
    x = Axis.over(labels[0], points[:, 0].tolist())
    y = Axis.over(labels[1], points[:, 1].tolist())
    # one unit is as long on both axes
    height = 66 + 420 * min(1.1, max(0.55, (y.high - y.low) / (x.high - x.low)))
    chart = Chart(x, y, "Map of the latent space", height=round(height))
    legend = _colour(chart, points, examples)
    caption = f"Posterior means of {len(points):,} held-out examples. {words}"
    if examples.label is not None and not legend:
        caption += " There are too many classes to colour; point at a mark for its class."
    return Panel("Map of the latent space", chart.svg("map"), caption, legend)


def principal(means: Tensor) -> tuple[Tensor, tuple[float, float]]:
    """Find the first two principal components `(N, 2)` and the part of the variance of each."""
    centred = means - means.mean(dim=0)
    with seeded(0):
        if centred.shape[1] > MANY:
            _, _, v = torch.pca_lowrank(centred, q=6, center=False, niter=4)
        else:
            v = torch.linalg.svd(centred, full_matrices=False)[2].T
    v = v[:, :2]
    # a component has no sign of its own: its largest loading is made positive
    largest = v.gather(0, v.abs().argmax(dim=0, keepdim=True))
    points = centred @ (v * torch.where(largest < 0, -1.0, 1.0))
    total = float(centred.square().sum()) or 1.0
    first, second = (points.square().sum(dim=0) / total).tolist()
    return points, (first, second)


def _colour(chart: Chart, points: Tensor, examples: Examples) -> tuple[tuple[str, str], ...]:
    """Draw the points, one colour and form a class; return the legend."""
    rows: list[tuple[float, float]] = [(x, y) for x, y in points.tolist()]
    if examples.label is None:
        chart.dots(rows, "class-0")
        return ()
    classes = sorted(set(examples.label.tolist()))
    coloured = len(classes) <= MOST_CLASSES
    legend = []
    for place, label in enumerate(classes):
        name = class_name(examples, label)
        chosen = (examples.label == label).nonzero()[:, 0].tolist()
        class_ = f"class-{place if coloured else 0}"
        chart.dots([rows[index] for index in chosen], class_, name)
        legend.append((class_, name))
    return tuple(legend) if coloured else ()


def _units(count: int) -> str:
    return f"{count:,} unit{'s' * (count != 1)}"
