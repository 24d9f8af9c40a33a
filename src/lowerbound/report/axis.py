"""Axes: from values to pixels, and ticks that a person would choose."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

#: Width of a character of a tick label, in pixels of the chart.
CHARACTER = 6.4
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True)
class Axis:
    """A linear scale.

    Args:
        label: Quantity and unit.
        low: Smallest value shown.
        high: Largest value shown, above `low`.
        whole: True if only whole numbers have ticks.

    Example:
        >>> Axis("z", 0.0, 4.0).at(1.0, 100, 200)
        125.0
    """

    label: str
    low: float
    high: float
    whole: bool = False

    @classmethod
    def over(
        cls, label: str, values: Iterable[float], *, pad: float = 0.04, whole: bool = False
    ) -> "Axis":
        """Make an axis that shows all finite values, with a little room at both ends."""
        low, high = span(values)
        room = pad * (high - low)
        return cls(label, low - room, high + room, whole)

    def at(self, value: float, start: float, end: float) -> float:
        """Place a value between two pixels."""
        return start + (value - self.low) / (self.high - self.low) * (end - start)

    def shows(self, value: float) -> bool:
        """Tell whether a value lies on the axis."""
        return self.low <= value <= self.high

    def ticks(self, about: int = 5) -> list[float]:
        """Choose about this number of round values on the axis."""
        step = nice_step((self.high - self.low) / max(1, about))
        if self.whole:
            step = max(1.0, round(step))
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [index * step for index in range(first, last + 1)]

    def fitting(self, pixels: float, about: int = 5) -> list[tuple[float, str]]:
        """Choose ticks and their labels, as many as fit side by side into some pixels."""
        ticks: list[float] = []
        labels: list[str] = []
        for count in range(about, 0, -1):
            ticks = self.ticks(count)
            labels = tick_labels(ticks)
            widest = max((len(label) for label in labels), default=0) * CHARACTER + 10
            apart = pixels * (ticks[1] - ticks[0]) / (self.high - self.low) if ticks[1:] else pixels
            if widest <= apart:
                return list(zip(ticks, labels, strict=True))
        return list(zip(ticks, labels, strict=True))[:1]


def nice_step(rough: float) -> float:
    """Find the smallest of 1, 2, 2.5, 5 times a power of ten that is at least `rough`."""
    power = 10.0 ** math.floor(math.log10(rough))
    return power * next(m for m in (1, 2, 2.5, 5, 10) if m * power >= rough * (1 - 1e-9))


def tick_labels(ticks: Sequence[float]) -> list[str]:
    """Label ticks with the same number of decimals; large and small ones share a power of ten."""
    largest = max((abs(tick) for tick in ticks), default=0.0)
    if largest == 0:
        return ["0" for _ in ticks]
    exponent = math.floor(math.log10(largest) + 1e-12)
    exponent = 0 if -4 < exponent < 6 else exponent
    ticks = [tick / 10.0**exponent for tick in ticks]
    decimals = next(
        (n for n in range(12) if all(abs(t - round(t, n)) < 1e-9 * max(1, abs(t)) for t in ticks)),
        12,
    )
    power = f"×10{str(exponent).translate(_SUPERSCRIPT)}" if exponent else ""
    return ["0" if tick == 0 else signed(f"{tick:,.{decimals}f}") + power for tick in ticks]


def signed(text: str) -> str:
    """Put a minus sign in place of a hyphen."""
    return text.replace("-", "−")


def number(value: float, digits: int = 4) -> str:
    """Write a number for a person, without an exponent where it can be avoided."""
    return numbers([value], digits)[0]


def numbers(values: Sequence[float], digits: int = 4) -> list[str]:
    """Write numbers of one column with the same decimals, and `digits` digits for the largest.

    Example:
        >>> numbers([1234.5, -0.25]), numbers([3.0, 2.0]), numbers([1.5e-7])
        (['1,234', '0'], ['3', '2'], ['1.5×10⁻⁷'])
    """
    largest = max((abs(value) for value in values if math.isfinite(value)), default=0.0)
    exponent = math.floor(math.log10(largest)) if largest else 0
    power = exponent if not -4 <= exponent < 9 else 0
    decimals = max(0, digits - 1 - (exponent - power))
    scaled = [round(value / 10.0**power, decimals) + 0.0 for value in values]  # no minus zero
    texts = [f"{value:,.{decimals}f}" for value in scaled]
    while decimals and all(text.endswith("0") for text in texts if text[-1].isdigit()):
        texts = [text[:-1] if text[-1].isdigit() else text for text in texts]
        decimals -= 1
    end = f"×10{str(power).translate(_SUPERSCRIPT)}" if power else ""
    return [
        signed(text.rstrip(".") + end) if math.isfinite(value) else signed(f"{value:g}")
        for text, value in zip(texts, values, strict=True)
    ]


def span(values: Iterable[float]) -> tuple[float, float]:
    """Find the smallest and largest finite value, made two where they are one; 0, 1 without any."""
    finite = [value for value in values if math.isfinite(value) and abs(value) < 1e100]
    if not finite:
        return 0.0, 1.0
    low, high = min(finite), max(finite)
    if high - low <= 1e-9 * max(abs(low), abs(high)):
        room = 0.05 * max(abs(low), abs(high)) or 0.5
        return low - room, high + room
    return low, high


def settled(values: Sequence[float], *, times: float = 4.0) -> tuple[float, float]:
    """Find the range of a rising curve without its beginning.

    From the top, down to `times` as far below it as the median is: the steep start of a training
    would otherwise squash everything that comes after.
    """
    low, high = span(values)
    finite = [value for value in values if low <= value <= high]
    if len(finite) < 3:
        return low, high
    reach = times * (high - median(finite))
    return (max(low, high - reach), high) if reach > 0 else (low, high)
