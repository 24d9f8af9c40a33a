"""The course of the training: the bound over epochs, and distortion against rate."""

import math
from collections.abc import Mapping, Sequence

from lowerbound.report.axis import CHARACTER, Axis, number, settled, span, tick_labels
from lowerbound.report.charts import Chart
from lowerbound.report.markup import Missing, Panel
from lowerbound.training.history import Epoch

NOTHING = Missing("No epoch was finished, so there are no learning curves.")
LEGEND = (("train", "train"), ("held-out", "held-out (validation)"))
PER_EXAMPLE = "nats per example"


def learning_curves(history: Sequence[Epoch], hide: float = 0.0) -> Panel | Missing:
    """Draw the bound on training and held-out examples after each epoch.

    Args:
        history: One record an epoch.
        hide: Share of the training examples some of whose cells were hidden.
    """
    curves = {
        "train": [(float(e.epoch), e.train.bound) for e in history],
        "held-out": [(float(e.epoch), e.held_out.bound) for e in history],
    }
    curves = {name: _finite(points) for name, points in curves.items()}
    values = [y for points in curves.values() for _, y in points]
    if not values:
        return NOTHING
    low, high = settled(values)
    epochs = [e.epoch for e in history]
    x = Axis("epoch", min(epochs) - 0.5, max(epochs) + 0.5, whole=True)
    chart = Chart(x, Axis.over(PER_EXAMPLE, [low, high]), "Bound after each epoch")
    best = next((e for e in reversed(history) if e.best), None)
    for name, points in curves.items():
        chart.line(points, name)
    if best is not None and math.isfinite(best.held_out.bound):
        place = (float(best.epoch), best.held_out.bound)
        chart.dots([place], "held-out", radius=4.5)
        _below(chart, curves, place, f"best: epoch {best.epoch}, {number(best.held_out.bound)}")
    for name, points in curves.items():
        chart.hovers(points, [f"epoch {x:.0f}, {name}: {number(y, 6)} nats" for x, y in points])
    cut = {x for points in curves.values() for x, y in points if not chart.y.shows(y)}
    hidden = f" The axis leaves out bounds below {number(chart.y.low)}." if cut else ""
    return Panel(
        "Bound over epochs",
        chart.svg(),
        "Higher is better. The held-out curve decides which weights are kept; where it turns down "
        "while the other rises, the model has begun to learn its training examples by heart. "
        "Train: averaged over the epoch, while the weights change; held-out: under the averaged "
        f"weights at its end.{_fewer_cells(hide)}{hidden}",
        LEGEND,
    )


def rate_distortion(history: Sequence[Epoch], hide: float = 0.0) -> Panel | Missing:
    """Draw the way of the training through the plane of rate and distortion; see above."""
    curves = {
        "train": _finite([(e.train.rate, e.train.distortion) for e in history]),
        "held-out": _finite([(e.held_out.rate, e.held_out.distortion) for e in history]),
    }
    every = [point for points in curves.values() for point in points]
    if not every:
        return NOTHING
    high, low = settled([-distortion for _, distortion in every])
    y = Axis.over("distortion (nats per example)", [-high, -low], pad=0.06)
    left, right = span([rate for rate, distortion in every if y.shows(distortion)])
    # room on the left for the labels of the lines
    x = Axis.over("rate (nats per example)", [max(0.0, left - 0.4 * (right - left)), right])
    chart = Chart(x, y, "Distortion against rate after each epoch")
    _equal_elbos(chart)
    for name, points in curves.items():
        chart.line(points, name)
        chart.dots(points[-1:], name, f"{name}, last epoch", radius=4.5)
    for name, points in curves.items():
        titles = [
            f"epoch {n}, {name}: rate {number(r)}, distortion {number(d)}, ELBO {number(-r - d)}"
            for n, (r, d) in enumerate(points, start=1)
        ]
        chart.hovers(points, titles)
    return Panel(
        "Distortion against rate",
        chart.svg(),
        "Rate: nats that the latents carry; distortion: nats still missing once they are known. "
        "Along a dotted line the ELBO is the same; nearer to the lower left it is higher. Dots: "
        f"the last epoch.{_fewer_cells(hide)}",
        LEGEND,
    )


def _fewer_cells(hide: float) -> str:
    """Say that the curves are of different cells; of an example a half is hidden on average."""
    if hide == 0:
        return ""
    return (
        f" In training cells of {hide:.0%} of the examples were hidden, about {hide / 2:.1%} of "
        "all cells: the train curve is a bound on the others alone, and lies that much better."
    )


def _below(
    chart: Chart,
    curves: Mapping[str, Sequence[tuple[float, float]]],
    place: tuple[float, float],
    words: str,
) -> None:
    """Write words next to a point, lower than all curves are there."""
    x, width = chart.across(place[0]), len(words) * CHARACTER
    right = x > (chart.left + chart.right) / 2
    start, end = (x - width, x) if right else (x, x + width)
    points = [(chart.across(a), chart.up(b)) for curve in curves.values() for a, b in curve]
    lowest = max((b for a, b in points if start - 12 <= a <= end + 12), default=0.0)
    y = min(max(lowest, chart.up(place[1])) + 19, chart.bottom - 6)
    chart.text(x, y, words, "held-out", "end" if right else "start")


def _equal_elbos(chart: Chart) -> None:
    """Draw dotted lines along which distortion + rate is the same round number."""
    x, y = chart.x, chart.y
    costs = Axis("", y.low + x.low, y.high + x.high).ticks(7)
    placed: list[float] = []
    for cost, label in zip(costs, tick_labels([-cost for cost in costs]), strict=True):
        chart.line([(x.low, cost - x.low), (x.high, cost - x.high)], "equal")
        pixel = chart.up(cost - x.low)
        if chart.top + 16 < pixel < chart.bottom and all(abs(pixel - p) > 18 for p in placed):
            chart.text(chart.left + 3, pixel - 5, f"ELBO {label}", "faint", "start")
            placed.append(pixel)


def _finite(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    return [point for point in points if all(map(math.isfinite, point)) and span(point)]
