"""A chart is right when a known value stands at a known pixel."""

import itertools
import re
from xml.etree import ElementTree

import pytest

from lowerbound.report.axis import Axis, nice_step, number, numbers, settled, span, tick_labels
from lowerbound.report.charts import Chart
from lowerbound.report.curves import learning_curves, rate_distortion
from lowerbound.report.markup import Missing, Panel, element
from lowerbound.training.history import Epoch, Terms


def history(bounds: list[float]) -> list[Epoch]:
    terms = [Terms(bound, bound, -bound - 1.0, 1.0) for bound in bounds]
    best = max(range(len(bounds)), key=lambda i: bounds[i])
    return [Epoch(i + 1, 10 * i, 1.0, 1.0, 1e-3, t, t, best=i == best) for i, t in enumerate(terms)]


def readings(svg: str) -> dict[float, tuple[float, float]]:
    """For each epoch of the held-out curve: its value by the ticks of the chart, and as told.

    Pixels are turned back into values through the tick labels, as a reader's eye does it.
    """
    root = ElementTree.fromstring(svg)
    ticks = [t for t in root.iter("text") if t.get("class") == "tick"]
    rows = [t for t in ticks if t.get("text-anchor") == "end"]
    value = {float(t.get("y", "")) - 4: float(t.text.replace("−", "-").replace(",", ""))
             for t in rows}  # fmt: skip
    (y1, v1), (y2, v2) = next(iter(value.items())), list(value.items())[-1]
    found = {}
    for circle in root.iter("circle"):
        told = re.match(r"epoch (\d+), held-out: (\S+) nats", circle.findtext("title") or "")
        if told:
            read = v1 + (float(circle.get("cy", "")) - y1) / (y2 - y1) * (v2 - v1)
            told_value = float(told[2].replace("−", "-").replace(",", ""))
            found[float(told[1])] = (read, told_value)
    return found


def assert_readable(svg: str, bounds: list[float]) -> None:
    found = readings(svg)
    assert len(found) == len(bounds)
    for epoch, (read, told) in found.items():
        assert told == pytest.approx(bounds[int(epoch) - 1])
        assert read == pytest.approx(told, abs=0.1)


BOUNDS = [-104.5, -104.0, -101.5, -100.25, -100.5]


def test_what_a_reader_takes_off_the_axis_is_the_value() -> None:
    panel = learning_curves(history(BOUNDS))
    assert isinstance(panel, Panel)
    assert_readable(panel.body, BOUNDS)


def test_a_planted_wrong_scale_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    right = Chart.up
    monkeypatch.setattr(Chart, "hovers", _shifted(Chart.hovers))
    panel = learning_curves(history(BOUNDS))
    assert isinstance(panel, Panel) and Chart.up is right
    with pytest.raises(AssertionError):
        assert_readable(panel.body, BOUNDS)


def _shifted(hovers):
    return lambda self, points, titles: hovers(self, [(x, y + 0.5) for x, y in points], titles)


def test_a_chart_maps_corners_to_corners() -> None:
    chart = Chart(Axis("x", 0.0, 10.0), Axis("y", -1.0, 1.0), "name")
    assert chart.across(0.0) == chart.left and chart.across(10.0) == chart.right
    assert chart.up(-1.0) == chart.bottom and chart.up(1.0) == chart.top
    assert chart.up(0.0) == pytest.approx((chart.top + chart.bottom) / 2)


def test_a_bar_is_as_high_as_its_value() -> None:
    chart = Chart(Axis("x", 0.0, 4.0), Axis("y", 0.0, 8.0), "name")
    chart.bar(0.0, 1.0, 4.0, "a")
    chart.bar(1.0, 2.0, 0.0, "a")
    bars = list(ElementTree.fromstring(chart.svg()).iter("rect"))
    heights = [float(bar.get("height", "")) for bar in bars]
    assert heights[0] == pytest.approx((chart.bottom - chart.top) / 2, abs=0.01)
    assert heights[1] == 2.0  # what is nothing can still be seen to be there


@pytest.mark.parametrize(
    ("low", "high", "labels"),
    [
        (0.0, 1.0, ["0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
        (-2310.0, -2060.0, ["−2,300", "−2,250", "−2,200", "−2,150", "−2,100"]),
        (0.0, 2e6, ["0", "0.5×10⁶", "1.0×10⁶", "1.5×10⁶", "2.0×10⁶"]),
        (-3e-5, 3e-5, ["−2×10⁻⁵", "0", "2×10⁻⁵"]),
    ],
)
def test_ticks_are_what_a_person_would_choose(low: float, high: float, labels: list[str]) -> None:
    assert tick_labels(Axis("", low, high).ticks(5)) == labels


@pytest.mark.parametrize("size", [1e-8, 0.3, 1.0, 7.0, 3e4, 2e9])
@pytest.mark.parametrize("offset", [0.0, -1.0, 100.0])
def test_tick_labels_never_overlap(size: float, offset: float) -> None:
    axis = Axis("", offset * size, (offset + 1) * size)
    for pixels in (90, 200, 400):
        placed = axis.fitting(pixels, 6)
        for (a, left), (b, right) in itertools.pairwise(placed):
            apart = axis.at(b, 0, pixels) - axis.at(a, 0, pixels)
            assert apart >= 6.4 * (len(left) + len(right)) / 2 + 2


def test_steps_are_round_and_large_enough() -> None:
    for rough in (1e-9, 0.017, 0.3, 1.0, 42.0, 9.9e8):
        step = nice_step(rough)
        assert rough * 0.999 <= step <= 2.51 * rough


def test_a_steep_start_does_not_squash_the_rest() -> None:
    curve = [-1e6] + [-100.0 - 1.0 / (i + 1) for i in range(30)]
    low, high = settled(curve)
    assert low > -110 and high == max(curve)
    gentle = [-103.0, -102.0, -101.0, -100.0]
    assert settled(gentle) == (-103.0, -100.0)


def test_nothing_finite_still_makes_an_axis() -> None:
    nan, inf = float("nan"), float("inf")
    assert span([nan, inf]) == (0.0, 1.0)
    assert span([5.0, nan]) == (4.75, 5.25)
    assert isinstance(learning_curves(history([nan, nan])), Missing)
    assert isinstance(rate_distortion([]), Missing)
    for draw in (learning_curves, rate_distortion):
        assert "hidden" not in draw(history([-100.0])).caption
        assert "about 7.5% of all cells" in draw(history([-100.0]), 0.15).caption
    assert isinstance(rate_distortion(history([-100.0])), Panel)


def test_one_epoch_and_a_flat_curve_are_drawn() -> None:
    for bounds in ([-100.0], [-100.0] * 5, [-1e300, -5.0], [float("inf"), -5.0]):
        panel = learning_curves(history(bounds))
        assert isinstance(panel, Panel)
        assert "nan" not in panel.body and "inf" not in panel.body
        ElementTree.fromstring(panel.body)


def test_numbers_of_a_column_share_their_decimals() -> None:
    assert numbers([173.25, 7.1]) == ["173.2", "7.1"]
    assert numbers([0.0, 1.0]) == ["0", "1"]
    assert numbers([1e-9, 2e-9]) == ["1×10⁻⁹", "2×10⁻⁹"]
    assert number(-0.0) == "0" and number(float("nan")) == "nan"
    assert number(-2108.44) == "−2,108"


def test_what_is_put_into_markup_is_escaped() -> None:
    assert element("b", "</b><script>", title="\"'<") == (
        '<b title="&quot;&#x27;&lt;">&lt;/b&gt;&lt;script&gt;</b>'
    )
    chart = Chart(Axis("<x>", 0, 1), Axis('"', 0, 1), "</svg>")
    chart.dots([(0.5, 0.5)], "a", "<script>")
    chart.text(1, 1, "<script>")
    svg = chart.svg()
    assert "<script" not in svg and svg.count("</svg>") == 2
    ElementTree.fromstring(svg)
