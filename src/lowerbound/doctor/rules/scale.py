"""The scale of a Gaussian likelihood: out of proportion to the residuals, or vanishing."""

import math

from lowerbound.doctor.finding import Finding
from lowerbound.doctor.symptoms import Cell, Symptoms
from lowerbound.likelihoods.gaussian import SMALLEST_SCALE

#: Nats a cell that a wrong scale may cost; a scale wrong by a factor 1.6 costs this.
COST = 0.1
#: A scale within this factor of its floor has arrived there.
NEAR_FLOOR = 3.0
#: A cell explained to within a hundredth of its spread is explained as far as it was measured.
EXPLAINED = 0.01
SHOWN = 4


def dispersion(symptoms: Symptoms) -> Finding | None:
    """Standardised residuals of the training examples that are not of size one.

    With r^2 their mean square, a scale wrong by the factor 1/r costs (r^2 - 1 - log r^2) / 2 nats
    a cell. It is judged in training, where a learned scale matches its residuals once it has been
    learned; on held-out examples it would also show overfitting.
    """
    cells = [c for c in symptoms.cells if c.residual > 0 and c.scale > 0]
    cells = [c for c in cells if not _bottomless(c) and c.residual > EXPLAINED * c.unit]
    if not cells:
        return None
    squares = [(c.residual / c.scale) ** 2 for c in cells]
    cost = sum((s - 1 - math.log(s)) / 2 for s in squares) / len(squares)
    if cost < COST:
        return None
    ratio = math.exp(sum(math.log(s) for s in squares) / (2 * len(squares)))
    wide = ratio < 1
    words = (
        f"The likelihood's standard deviation is {'larger' if wide else 'smaller'} than the "
        f"residuals of the training examples, by a factor of {max(ratio, 1 / ratio):.1f}; that "
        f"costs {cost * len(cells):,.1f} nats per example, and draws from p(x|z) are "
        f"{'noisier' if wide else 'cleaner'} than the data."
    )
    if symptoms.record.scale == "fixed":
        remedy = "Let it be learned: --set scale=per-dimension (vectors) or shared (images)."
    else:
        remedy = (
            "It has not been learned yet: more --epochs, a higher --set learning_rate=0.01, or a "
            f"better start, --set sigma={_about(cells)}."
        )
    return Finding("scale out of proportion", "warning", words, remedy)


def vanishing_scale(symptoms: Symptoms) -> Finding | None:
    """Cells that a Gaussian of learned scale can predict exactly: the bound has no maximum.

    Constant in training, or a copy of another column. A scale that all cells share is held up by
    the others, and has vanished only once it is at its floor.
    """
    if symptoms.record.scale == "fixed" or not symptoms.cells:
        return None
    own = symptoms.record.scale == "per-dimension"
    bottomless = [c for c in symptoms.cells if own and _bottomless(c)]
    floored = [c for c in symptoms.cells if c.scale <= NEAR_FLOOR * SMALLEST_SCALE * c.unit]
    ill = bottomless or floored
    if not ill:
        return None
    reasons = []
    constant = [c for c in bottomless if c.step == 0]
    copied = [f"{c.name} of {c.twin}" for c in bottomless if c.twin is not None]
    if constant:
        reasons.append(f"constant in training: {_listed([c.name for c in constant])}")
    if copied:
        reasons.append(f"copies: {_listed(copied)}")
    if floored:
        reasons.append(f"scale at its floor: {_listed([c.name for c in floored])}")
    gained = -sum(math.log(c.scale / c.unit) for c in ill)
    words = (
        f"The density has no upper limit in {len(ill)} of {len(symptoms.cells)} cells "
        f"({'; '.join(reasons)}). A learned scale goes to 0 there, and log p(x) rises for ever: "
        f"these cells give {gained:,.1f} of its nats by now, which measure how long training ran."
    )
    remedy = (
        "Leave these columns out of the data, or do not learn the scale: --set scale=fixed "
        "--set sigma=0.1."
    )
    return Finding("vanishing scale", "ill", words, remedy)


def _bottomless(cell: Cell) -> bool:
    return cell.step == 0 or cell.twin is not None


def _about(cells: list[Cell]) -> str:
    """The typical residual, in the units of `sigma`."""
    return f"{math.exp(sum(math.log(c.residual / c.unit) for c in cells) / len(cells)):.2g}"


def _listed(names: list[str]) -> str:
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" * (len(names) > SHOWN))
