"""Numbers that change as training goes on: factors, called with the fraction of it that is done."""

import math
from dataclasses import dataclass

from lowerbound.errors import SettingError


@dataclass(frozen=True)
class Constant:
    """1 throughout."""

    def __call__(self, fraction: float) -> float:
        return 1.0


@dataclass(frozen=True)
class WarmUp:
    """From 0 straight up to 1, then 1.

    Args:
        over: Fraction of the training that the way up takes, in [0, 1]. A fraction and not a
            number of epochs, so that a short training is warmed up in full, too.

    Raises:
        SettingError: `over` is outside [0, 1].
    """

    over: float = 0.1

    def __post_init__(self) -> None:
        _fraction("warm-up", self.over)

    def __call__(self, fraction: float) -> float:
        return 1.0 if fraction >= self.over else fraction / self.over


@dataclass(frozen=True)
class Cycles:
    """From 0 up to 1, and again, several times; 1 at the end.

    Args:
        count: How many times.
        over: Fraction of each cycle that the way up takes, in [0, 1].

    Raises:
        SettingError: A number is out of range.

    Source: Fu et al. (2019), equation 6, arXiv 1903.10145.
    """

    count: int = 4
    over: float = 0.5

    def __post_init__(self) -> None:
        _fraction("warm-up", self.over)
        if self.count < 1:
            raise SettingError(f"cycles are at least 1, got {self.count!r}")

    def __call__(self, fraction: float) -> float:
        return 1.0 if fraction >= 1 else WarmUp(self.over)(fraction * self.count % 1.0)


@dataclass(frozen=True)
class WarmUpCosine:
    """From 0 up to 1, then down to `floor` along half a cosine.

    Args:
        over: Fraction of the training that the way up takes, in [0, 1].
        floor: Where the way down ends, in [0, 1].

    Raises:
        SettingError: `over` or `floor` is outside [0, 1].

    Source: Loshchilov & Hutter (2017), equation 5 without restarts, arXiv 1608.03983.

    Example:
        >>> [round(WarmUpCosine(over=0.5, floor=0.1)(done), 2) for done in (0.25, 0.5, 0.75, 1.0)]
        [0.5, 1.0, 0.55, 0.1]
    """

    over: float = 0.05
    floor: float = 0.01

    def __post_init__(self) -> None:
        _fraction("warm-up", self.over)
        _fraction("floor", self.floor)

    def __call__(self, fraction: float) -> float:
        if fraction < self.over:
            return fraction / self.over
        down = _down(fraction, self.over)
        return self.floor + (1.0 - self.floor) * 0.5 * (1.0 + math.cos(math.pi * down))


@dataclass(frozen=True)
class Stages:
    """From 0 up to 1, then down to `floor` in eight equal factors, each held three times as long.

    The eight stages last 1, 3, 9, ..., 2187 parts of 3280 of what follows the warm-up.

    Args:
        over: Fraction of the training that the way up takes, in [0, 1].
        floor: The factor of the last stage, in (0, 1].

    Raises:
        SettingError: `over` is outside [0, 1], or `floor` outside (0, 1].

    Source: Burda, Grosse & Salakhutdinov (2016), section 5, arXiv 1509.00519: stages of 3^i
        epochs at 0.001 * 10^(-i/7), i = 0 ... 7.

    Example:
        >>> steps = Stages(over=0.0, floor=0.1)
        >>> [round(steps(epochs / 3280), 2) for epochs in (0, 1, 4, 3279)]
        [1.0, 0.72, 0.52, 0.1]
    """

    over: float = 0.0
    floor: float = 0.1

    def __post_init__(self) -> None:
        _fraction("warm-up", self.over)
        _fraction("floor", self.floor)
        if self.floor == 0:
            raise SettingError("stages fall by equal factors: their final rate must be above 0")

    def __call__(self, fraction: float) -> float:
        if fraction < self.over:
            return fraction / self.over
        down = _down(fraction, self.over)
        # stage i begins after (3^i - 1) / 2 of 3280 parts; rounding must not delay it
        parts = 3280 * down * (1 + 1e-12)
        stage = sum(parts >= (3**i - 1) // 2 for i in range(1, 8))
        return self.floor ** (stage / 7)


def _fraction(name: str, value: float) -> None:
    if not 0.0 <= value <= 1.0:
        raise SettingError(f"{name} must be a fraction in [0, 1], got {value!r}")


def _down(fraction: float, over: float) -> float:
    """Compute which part of the way down, after a warm-up, is done."""
    return 1.0 if over >= 1.0 else (min(fraction, 1.0) - over) / (1.0 - over)
