"""The way in which updates are executed, which changes their speed and not their mathematics."""

from dataclasses import asdict, dataclass, replace
from typing import Any


@dataclass(frozen=True)
class Execution:
    """The way in which updates are executed.

    Args:
        precision: Of the matrix products and convolutions inside the networks; weights, bounds
            and the optimiser are float32 in either case.
        compile: True if `torch.compile` turns the pass into fused kernels.
        graphs: True if it also captures the pass as one CUDA graph.
        channels_last: True if weights of convolutions are laid out channels last.
        checkpoint: True if activations are computed again in the backward pass and not kept.
        threads: Of torch while it trains; 0 for as many as there are.
        late: True if the host learns only now and then of skipped batches; see `Stepper`.
        reasons: The reasons, one sentence each.
    """

    precision: str = "float32"
    compile: bool = False
    graphs: bool = False
    channels_last: bool = False
    checkpoint: bool = False
    threads: int = 0
    late: bool = False
    reasons: tuple[str, ...] = ()

    def but(self, word: str, why: str, **changes: Any) -> "Execution":
        """Change it, and replace the reasons that have a word in them by another one."""
        reasons = (*(reason for reason in self.reasons if word not in reason), why)
        return replace(self, reasons=reasons, **changes)

    def to_json(self) -> dict[str, Any]:
        """Write its plain values."""
        return {**asdict(self), "reasons": list(self.reasons)}

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> "Execution":
        """Read what `to_json` wrote; `TypeError` or `KeyError` if it is no such record."""
        return cls(**{**record, "reasons": tuple(record["reasons"])})
