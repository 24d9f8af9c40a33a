"""One answer from the analyses of several imputed data sets: Rubin's rules."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lowerbound.errors import DataError, SettingError


@dataclass(frozen=True)
class Pooled:
    """One quantity, estimated from `M` imputed data sets.

    Attributes:
        estimate: Q, the mean of the estimates.
        error: sqrt(T), T = U + (1 + 1/M) B with U the mean squared standard error and B the
            variance between the imputations.
        degrees: Of freedom of its t distribution.
        low: Lower end of the interval.
        high: Upper end.
        missing: Share of T that is due to the gaps, (1 + 1/M) B / T.
        imputations: M.
    """

    estimate: float
    error: float
    degrees: float
    low: float
    high: float
    missing: float
    imputations: int


def pool(
    estimates: Sequence[float] | np.ndarray,
    errors: Sequence[float] | np.ndarray,
    *,
    degrees: float = math.inf,
    level: float = 0.95,
) -> Pooled:
    """Combine an estimate and its standard error from each of `M` imputed data sets.

    Args:
        estimates: `(M,)`, at least 2.
        errors: Standard errors, `(M,)`, not negative.
        degrees: Of freedom that the analysis would have without gaps, such as rows - 1 for a mean;
            infinite where it is large.
        level: Coverage of the interval, between 0 and 1.

    Raises:
        DataError: Fewer than two imputations, or numbers that are not finite.
        SettingError: `degrees` or `level` is out of range.

    Source: Rubin (1987), Multiple imputation for nonresponse in surveys, section 3.1; the degrees
        of freedom: Barnard & Rubin (1999), equations 2 to 5, Biometrika 86.

    Example:
        >>> found = pool([10.0, 12.0, 11.0], [1.0, 1.0, 1.0], degrees=50)
        >>> round(found.estimate, 3), round(found.error, 3)
        (11.0, 1.528)
    """
    q, u = np.asarray(estimates, dtype=float), np.asarray(errors, dtype=float)
    if q.ndim != 1 or q.shape != u.shape or len(q) < 2:
        raise DataError(
            f"pooling takes an estimate and a standard error from each of at least 2 imputations, "
            f"got {q.shape} and {u.shape}"
        )
    if not (np.isfinite(q).all() and np.isfinite(u).all() and (u >= 0).all()):
        raise DataError("estimates must be finite, and standard errors finite and not negative")
    if not degrees > 0:
        raise SettingError(f"degrees of freedom must be positive, got {degrees!r}")
    if not 0 < level < 1:
        raise SettingError(f"level must lie between 0 and 1, got {level!r}")
    from scipy.stats import t  # scikit-learn brings it

    count, within, between = len(q), float((u**2).mean()), float(q.var(ddof=1))
    total = within + (1 + 1 / count) * between
    share = (1 + 1 / count) * between / total if total > 0 else 0.0
    old = (count - 1) / share**2 if share > 0 else math.inf
    if math.isinf(degrees):
        freedom = old
    else:
        seen = (degrees + 1) / (degrees + 3) * degrees * (1 - share)
        freedom = seen if math.isinf(old) else old * seen / (old + seen)
    centre, error = float(q.mean()), math.sqrt(total)
    # degrees of 0 are those of gaps that leave nothing: no interval is wide enough
    reach = error * float(t.ppf((1 + level) / 2, freedom)) if freedom > 0 else math.inf
    return Pooled(centre, error, freedom, centre - reach, centre + reach, share, count)
