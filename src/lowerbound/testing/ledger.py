"""The ledger of comparisons: while one is open, each is entered, and how near it came."""

import math
from contextvars import ContextVar, Token
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor

#: Unit of an error: nats where log-densities, bounds or rates are compared, "plain" for
#: any other number, and standard errors where a sample is compared with what it should be.
Unit = Literal["nats", "plain", "standard errors"]


@dataclass(frozen=True)
class Entry:
    """One identity that was checked.

    Attributes:
        name: The quantity compared.
        error: The largest error of the numbers compared, absolute; infinite where one was nan.
        unit: Of the error.
    """

    name: str
    error: float
    unit: Unit


@dataclass
class Ledger:
    """A context manager that keeps what the checks inside it compared, passed or not.

    Of ledgers inside each other the innermost one is kept; each thread and task has its own.

    Attributes:
        entries: In the order of the comparisons.

    Example:
        >>> from lowerbound.testing import Ledger, check_prior
        >>> from lowerbound.priors import StandardNormal
        >>> with Ledger() as ledger:
        ...     check_prior(StandardNormal(3))
        >>> ledger.entries[0].name, ledger.entries[0].error
        ('log p(z) has its shape', 0.0)
        >>> ledger.largest("standard errors") < 4.9
        True
    """

    entries: list[Entry] = field(default_factory=list)
    _tokens: list[Token["Ledger | None"]] = field(default_factory=list, repr=False)

    def __enter__(self) -> "Ledger":
        self._tokens.append(_OPEN.set(self))
        return self

    def __exit__(self, *_: object) -> None:
        _OPEN.reset(self._tokens.pop())

    def largest(self, unit: Unit) -> float | None:
        """Return the largest error in a unit, None if nothing was compared in it."""
        return max((entry.error for entry in self.entries if entry.unit == unit), default=None)


_OPEN: ContextVar[Ledger | None] = ContextVar("ledger", default=None)


def enter(name: str, errors: Tensor | float, unit: Unit = "plain") -> None:
    """Enter an identity in the open ledger; where none is open, do nothing.

    Args:
        name: The quantity compared.
        errors: Absolute errors, any shape; the largest is entered.
        unit: Their unit.
    """
    ledger = _OPEN.get()
    if ledger is None:
        return
    errors = torch.as_tensor(errors).detach()
    worst = float(errors.max()) if errors.numel() else 0.0
    ledger.entries.append(Entry(name, math.inf if math.isnan(worst) else worst, unit))
