"""The figures of docs/mathematics, drawn from their result by the charts of the report.

python tools/figures.py
"""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lowerbound.report.axis import Axis, tick_labels
from lowerbound.report.charts import Chart

ROOT = Path(__file__).parents[1]
RESULT = ROOT / "benchmarks" / "results" / "mathematics.json"
IMAGES = ROOT / "docs" / "mathematics" / "images"
WIDTH, HEIGHT = 620, 300

#: An image sees no style sheet but its own, nor the page behind it: so it brings paper along.
STYLE = """
svg { font: 12.5px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
.grid { stroke: #eceef1; } .base { stroke: #8b94a0; } .tick, .axis { fill: #5d6775; }
.line { fill: none; stroke: var(--m); stroke-width: 2; stroke-linejoin: round; }
.dots circle { fill: var(--m); }
.note { fill: var(--m); paint-order: stroke; stroke: #fff; stroke-width: 4px; }
.p { --m: #5b6470; } .a { --m: #0072b2; } .b { --m: #b86e00; } .c { --m: #007f5c; }
.p.line { stroke-dasharray: 5 4; }
"""


@dataclass(frozen=True)
class Logarithmic(Axis):
    """Powers of a base at equal distances."""

    base: float = 10.0

    def at(self, value: float, start: float, end: float) -> float:
        """Where a value lies between two pixels."""
        part = math.log(value / self.low) / math.log(self.high / self.low)
        return start + part * (end - start)

    def ticks(self, about: int = 5) -> list[float]:
        """The powers on the axis."""
        first = math.ceil(math.log(self.low, self.base) - 1e-9)
        last = math.floor(math.log(self.high, self.base) + 1e-9)
        return [self.base**power for power in range(first, last + 1)]

    def fitting(self, pixels: float, about: int = 5) -> list[tuple[float, str]]:
        """The powers, each with its label."""
        return [(tick, tick_labels([tick])[0]) for tick in self.ticks()]


def normal(z: float, mean: float, scale: float) -> float:
    """The density of N(mean, scale^2)."""
    return math.exp(-(((z - mean) / scale) ** 2) / 2) / (scale * math.sqrt(2 * math.pi))


def divergence(result: dict) -> Chart:
    """A mixture, and the nearest Gaussians in both orders."""
    p, seeking, covering = (result[k] for k in ("mixture", "least_kl_q_p", "least_kl_p_q"))
    grid = [-4 + 0.04 * i for i in range(201)]

    def mixture(z: float) -> float:
        parts = zip(p["weights"], p["centres"], strict=True)
        return sum(w * normal(z, c, p["scale"]) for w, c in parts)

    y = Axis("density", 0.0, 0.9)
    chart = Chart(Axis("z", -4, 4), y, "Nearest Gaussians", width=WIDTH, height=HEIGHT)
    curves = {
        "p": ("p", mixture, 1.5, 0.27),
        "a": (
            "q of least KL(q || p)",
            lambda z: normal(z, seeking["mean"], seeking["scale"]),
            0.3,
            0.74,
        ),
        "b": (
            "q of least KL(p || q)",
            lambda z: normal(z, covering["mean"], covering["scale"]),
            2.9,
            0.13,
        ),
    }
    for class_, (name, curve, x, height) in curves.items():
        chart.line([(z, curve(z)) for z in grid], class_)
        chart.text(chart.across(x), chart.up(height), name, class_)
    return chart


def gap(result: dict) -> Chart:
    """Evidence and bound over a training."""
    curve = result["curve"]
    values = curve["log_evidence"] + curve["elbo"]
    chart = Chart(
        Axis("step", 0, curve["step"][-1]),
        Axis.over("nats per example", values, pad=0.08),
        "Evidence and bound over the steps of a training",
        width=WIDTH,
        height=HEIGHT,
    )
    for name, class_, words, away in (
        ("log_evidence", "a", "log p(x)", -14),
        ("elbo", "b", "ELBO", 30),
    ):
        chart.line(list(zip(curve["step"], curve[name], strict=True)), class_)
        at = 8
        x, y = chart.across(curve["step"][at]), chart.up(curve[name][at])
        chart.text(x, y + away, words, class_, "start" if away > 0 else "end")
    return chart


def variance(result: dict) -> Chart:
    """Variances of three estimators against the number of units."""
    rows = result["rows"]
    chart = Chart(
        Logarithmic("number of units D", 0.9, 70, base=2.0),
        Logarithmic("variance of one draw", 0.6, 2000),
        "Variance of three estimators",
        width=WIDTH,
        height=HEIGHT,
    )
    names = {
        "score": ("b", "score function", 16, -26),
        "score_with_baseline": ("c", "score function, best baseline", 22.6, 34),
        "reparameterised": ("a", "reparameterised", 16, -10),
    }
    for name, (class_, words, units, away) in names.items():
        chart.line([(row["units"], row[name]) for row in rows], class_)
        chart.dots([(row["units"], row[f"measured_{name}"]) for row in rows], class_, radius=3.5)
        y = next(row[name] for row in rows if row["units"] >= units)
        chart.text(chart.across(units), chart.up(y) + away, words, class_)
    return chart


def draws(result: dict) -> Chart:
    """The importance-weighted bound against K."""
    points = list(zip(result["draws"], result["bound"], strict=True))
    top = result["log_evidence"]
    chart = Chart(
        Logarithmic("draws K", 0.9, 70, base=2.0),
        Axis.over("nats", [top, points[0][1]], pad=0.12),
        "The bound against the number of draws",
        width=WIDTH,
        height=HEIGHT,
    )
    chart.line([(0.9, top), (70, top)], "p")
    chart.line(points, "a")
    chart.dots(points, "a", radius=3.5)
    chart.text(chart.across(1.3), chart.up(top) + 18, "log p(x)", "p", "start")
    chart.text(chart.across(1.12), chart.up(points[0][1]) + 8, "ELBO", "a", "start")
    chart.text(chart.across(9), chart.up(result["bound"][5]) + 18, "L with K draws", "a", "start")
    return chart


def files() -> Iterator[tuple[Path, str]]:
    """Each image and what it holds."""
    result = json.loads(RESULT.read_text())
    for draw in (divergence, gap, variance, draws):
        yield IMAGES / f"{draw.__name__}.svg", standalone(draw(result[draw.__name__]))


def standalone(chart: Chart) -> str:
    """A chart as a file of its own."""
    size = f'xmlns="http://www.w3.org/2000/svg" width="{chart.width}" height="{chart.height}"'
    opening, rest = chart.svg().split(">", 1)
    paper = '<rect width="100%" height="100%" rx="4" fill="#fff"/>'
    opening = opening.replace("<svg", f"<svg {size}", 1)
    return f"{opening}><style>{STYLE}</style>{paper}{rest}\n"


if __name__ == "__main__":
    IMAGES.mkdir(exist_ok=True)
    for path, text in files():
        path.write_text(text)
        print(path.relative_to(ROOT))
