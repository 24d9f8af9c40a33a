"""Charts as SVG, drawn by hand: colours come from the page's style sheet, light or dark."""

from collections.abc import Sequence

from lowerbound.report.axis import CHARACTER, Axis
from lowerbound.report.markup import Html, element, joined

#: Most marks of a curve that tell their values when pointed at.
MOST_HOVERS = 200
#: Height of the lowest bar, in pixels: of a value next to nothing, but there.
LEAST = 2.0

Points = Sequence[tuple[float, float]]


class Chart:
    """A frame with two axes, to draw on.

    Args:
        x: The horizontal axis.
        y: The vertical axis; its label stands above it.
        name: A description for those who cannot see it.
        width: Of the whole, in pixels at full size.
        height: Of the whole.
        about: Number of ticks on each axis.
        x_ticks: Places and labels instead of the axis's own.
    """

    def __init__(
        self,
        x: Axis,
        y: Axis,
        name: str,
        *,
        width: int = 460,
        height: int = 290,
        about: int = 5,
        x_ticks: Sequence[tuple[float, str]] | None = None,
    ) -> None:
        self.x, self.y, self.name = x, y, name
        self.width, self.height = width, height
        self.top = 26.0 if y.label else 8.0
        self.bottom = height - (40.0 if x.label else 22.0)
        lines = y.ticks(about)
        self._rows = y.fitting(1e9, about) if len(lines) > 1 else y.fitting(1e9, about + 2)
        widest = max((len(label) for _, label in self._rows), default=0)
        self.left, self.right = 12 + widest * CHARACTER, width - 16.0
        self._columns = x.fitting(self.right - self.left, about) if x_ticks is None else x_ticks
        self._marks: list[Html] = []
        self._over: list[Html] = []

    def across(self, value: float) -> float:
        """Place a value of x, in pixels."""
        return self.x.at(value, self.left, self.right)

    def up(self, value: float) -> float:
        """Place a value of y, in pixels."""
        return self.y.at(value, self.bottom, self.top)

    def line(self, points: Points, class_: str) -> None:
        """Draw a curve."""
        if len(points) == 1:
            self.dots(points, class_, radius=3.0)
        path = " ".join(f"{self.across(x):.1f},{self.up(y):.1f}" for x, y in points)
        self._marks.append(element("polyline", points=path, class_=f"line {class_}"))

    def dots(
        self, points: Points, class_: str, title: str | None = None, *, radius: float = 2.5
    ) -> None:
        """Draw marks of one kind, with one name."""
        circles = [element("circle", cx=self.across(x), cy=self.up(y), r=radius) for x, y in points]
        named = [element("title", title)] if title else []
        self._marks.append(element("g", *named, *circles, class_=f"dots {class_}"))

    def hovers(self, points: Points, titles: Sequence[str]) -> None:
        """Draw invisible marks that tell their value when pointed at."""
        every = max(1, -(-len(points) // MOST_HOVERS))
        for (x, y), title in list(zip(points, titles, strict=True))[::-1][::every]:
            if self.x.shows(x) and self.y.shows(y):
                place = {"cx": self.across(x), "cy": self.up(y), "r": 7}
                self._over.append(
                    element("circle", element("title", title), class_="hover", **place)
                )

    def bar(
        self, start: float, end: float, value: float, class_: str, title: str | None = None
    ) -> None:
        """Draw a bar from zero, high enough to be seen."""
        base, tip = self.up(max(0.0, self.y.low)), self.up(value)
        named = [element("title", title)] if title else []
        left, y = self.across(start), min(tip, base - LEAST)
        width, height = max(0.1, self.across(end) - left), max(LEAST, base - tip)
        place = {"x": left, "y": y, "width": width, "height": height}
        self._marks.append(element("rect", *named, **place, class_=f"bar {class_}"))

    def text(self, x: float, y: float, text: str, class_: str = "", anchor: str = "middle") -> None:
        """Write words at a pixel, above all marks."""
        self._over.append(
            element("text", text, x=x, y=y, text_anchor=anchor, class_=f"note {class_}".strip())
        )

    def svg(self, class_: str = "") -> Html:
        """Put the chart together."""
        width, height = self.right - self.left, self.bottom - self.top
        box = {"x": self.left, "y": self.top, "width": width, "height": height}
        # an inner svg clips what lies outside the plot, and keeps the coordinates
        view = " ".join(f"{value:g}" for value in box.values())
        marks = element("svg", *self._marks, viewBox=view, **box)
        return element(
            "svg", self._frame(), marks, *self._over, viewBox=f"0 0 {self.width} {self.height}",
            role="img", aria_label=self.name, class_=f"chart {class_}".strip(),
        )  # fmt: skip

    def _frame(self) -> Html:
        parts = []
        for value, label in self._rows:
            y = self.up(value)
            parts.append(element("line", x1=self.left, x2=self.right, y1=y, y2=y, class_="grid"))
            parts.append(
                element("text", label, x=self.left - 7, y=y + 4, text_anchor="end", class_="tick")
            )
        base = {"x1": self.left, "x2": self.right, "y1": self.bottom, "y2": self.bottom}
        parts.append(element("line", class_="base", **base))
        for value, label in self._columns:
            x = min(self.across(value), self.width - len(label) * CHARACTER / 2)
            parts.append(
                element("text", label, x=x, y=self.bottom + 16, text_anchor="middle", class_="tick")
            )
        if self.y.label:
            parts.append(element("text", self.y.label, x=0, y=12, class_="axis"))
        if self.x.label:
            place = {"x": (self.left + self.right) / 2, "y": self.height - 6}
            parts.append(
                element("text", self.x.label, text_anchor="middle", class_="axis", **place)
            )
        return joined(parts)
