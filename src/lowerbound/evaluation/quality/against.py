"""A measure beside what real data score on it."""

from dataclasses import asdict, dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class Against:
    """A measure of samples, and the same measure of real examples in their place.

    Attributes:
        value: Of the samples.
        null: Of as many held-out examples in the place of the samples: what a perfect model would
            score, up to chance.
        unit: What it is counted in.
        better: Whether a "lower" or a "higher" value is better, or one nearer to the "null".
        words: What it says, in a sentence.
        standard_error: How far `value` may be from that of endlessly many of the examples that
            are counted (samples, or for a share of the data real ones), the others being as they
            are; None where that is not known.
        p_value: Probability, for a perfect model, of a value as bad or worse (as high of an
            accuracy, as low of C_T); None without a test.
        null_p_value: The same for `null`.
    """

    value: float
    null: float
    unit: str
    better: Literal["lower", "higher", "null"]
    words: str
    standard_error: float | None = None
    p_value: float | None = None
    null_p_value: float | None = None

    def to_json(self) -> dict[str, Any]:
        """A dictionary of plain values; None for what is no finite number."""
        return {
            key: None if isinstance(value, float) and value - value != 0 else value
            for key, value in asdict(self).items()
        }

    def __str__(self) -> str:
        error = "" if self.standard_error is None else f" ± {self.standard_error:.2g}"
        return f"{self.value:.4g}{error} {self.unit}, real data {self.null:.4g}"
