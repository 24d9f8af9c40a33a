"""The settings of a training, in one frozen place."""

import math
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Literal, TypeGuard, get_args, get_type_hints

from lowerbound.errors import SettingError
from lowerbound.training.schedules import Stages, WarmUpCosine


@dataclass(frozen=True)
class Training:
    """Settings of `fit`.

    Args:
        epochs: Passes over the training examples, at least 1.
        minutes: A budget of wall-clock time; when given, it ends the training and the schedules
            follow the clock, so that two runs need not agree to the last bit.
        batch_size: Examples in one update, at least 1.
        learning_rate: The peak, positive.
        warm_up: Fraction of the training over which the learning rate rises from 0 to its peak.
        decay: The fall of the learning rate after the warm-up: along half a "cosine", or in eight
            "stages", each three times as long as the one before.
        final_rate: The learning rate at the end, as a fraction of the peak. 1 keeps it constant.
        weight_decay: Decoupled decay of weights (AdamW); 0 is Adam.
        betas: Adam's decay rates of the first and second moments.
        epsilon: Adam's guard against division by zero, positive.
        hide: Chance that an example is seen with gaps: a share of its cells, drawn evenly from 0 to
            1, is taken for unobserved. So q(z|x) learns to do with any cells.
        untold: Chance that a conditional model is not told the condition of an example, so that it
            learns p(x), too.
        mirror: Show each image as it is or its mirror image, at random, anew each time: few images
            count as twice as many. Not where left and right differ, as in letters.
        shift: Move each image up or down and to a side at random, anew each time, by at most this
            fraction of its height and width; what comes in at an edge mirrors what is there.
        clip: Longest gradient allowed, in the l2 norm; None to leave gradients alone. One that is
            longer and a thousand times as long as usual is an accident: its batch is skipped.
        average: Decay of the exponential moving average of the weights, which is what is
            validated and kept; None to keep the last weights themselves.
        keep: The weights of the epoch with the "best" held-out bound, or the "last" ones.
        patience: Epochs without a better held-out bound after which training stops; None never.
        precision: Of matrix products and convolutions inside the networks: "float32",
            "bfloat16" (weights, bounds and optimiser stay float32), or "auto": bfloat16 where the
            device multiplies faster in it, a pass is long enough to gain by that, and the bound
            of one batch agrees.
        compile: "on", "off", or "auto": where the training is long enough to repay it.
        checkpoint: Compute activations again in the backward pass in place of keeping them: less
            memory for about a third more time.

    Raises:
        SettingError: A value is impossible.

    Source: Adam: Kingma & Ba (2015), arXiv 1412.6980; AdamW: Loshchilov & Hutter (2019),
        arXiv 1711.05101; averaging: Polyak & Juditsky (1992).
    """

    epochs: int = 50
    minutes: float | None = None
    batch_size: int = 128
    learning_rate: float = 2e-3
    warm_up: float = 0.05
    decay: Literal["cosine", "stages"] = "cosine"
    final_rate: float = 0.01
    weight_decay: float = 0.0
    betas: tuple[float, float] = (0.9, 0.999)
    epsilon: float = 1e-8
    hide: float = 0.0
    untold: float = 0.1
    mirror: bool = False
    shift: float = 0.0
    clip: float | None = 100.0
    average: float | None = 0.999
    keep: Literal["best", "last"] = "best"
    patience: int | None = None
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    compile: Literal["auto", "on", "off"] = "auto"
    checkpoint: bool = False

    def __post_init__(self) -> None:
        optional = ("minutes", "clip", "patience")
        given: dict[str, Any] = {
            k: v for k, v in vars(self).items() if v is not None or k not in optional
        }
        for name in ("epochs", "batch_size", "patience"):
            value = given.get(name, 1)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise SettingError(f"{name} must be a whole number of at least 1, got {value!r}")
        for name in ("learning_rate", "epsilon", "minutes", "clip"):
            value = given.get(name, 1.0)
            if not (_number(value) and value > 0):
                raise SettingError(f"{name} must be a positive number, got {value!r}")
        if not _number(self.weight_decay) or self.weight_decay < 0:
            raise SettingError(f"weight_decay must be at least 0, got {self.weight_decay!r}")
        if not (_number(self.untold) and 0 <= self.untold <= 1):
            raise SettingError(f"untold must lie in [0, 1], got {self.untold!r}")
        if not (_number(self.hide) and 0 <= self.hide <= 1):
            raise SettingError(f"hide must lie in [0, 1], got {self.hide!r}")
        if not (_number(self.shift) and 0 <= self.shift <= 0.5):
            raise SettingError(f"shift must lie in [0, 0.5], got {self.shift!r}")
        for name in ("decay", "keep", "precision", "compile"):
            value, choices = getattr(self, name), get_args(get_type_hints(Training)[name])
            if value not in choices:
                raise SettingError(f"{name} must be one of {', '.join(choices)}, got {value!r}")
        self.schedule(0.0)  # checks warm_up and final_rate
        decays = [*self.betas] + ([] if self.average is None else [self.average])
        if not all(_number(value) and 0 <= value < 1 for value in decays):
            raise SettingError(
                f"betas and average must lie in [0, 1), got {self.betas!r} and {self.average!r}"
            )

    def schedule(self, fraction: float) -> float:
        """Give the factor on the learning rate when `fraction` of the training is done."""
        return self._shape(fraction)

    @cached_property
    def _shape(self) -> Stages | WarmUpCosine:
        return (Stages if self.decay == "stages" else WarmUpCosine)(self.warm_up, self.final_rate)

    def to_json(self) -> dict[str, Any]:
        """Write the settings as plain values."""
        return {**asdict(self), "betas": list(self.betas)}


def _number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and math.isfinite(value)
