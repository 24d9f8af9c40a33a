"""Likelihoods that do not fit: a density of counted data, a scale that is off or vanishes."""

import math

from lowerbound.doctor.finding import Finding
from lowerbound.doctor.symptoms import Cell, Symptoms
from lowerbound.likelihoods.gaussian import SMALLEST_SCALE

#: A cell of at most so many different values, each seen so often on average, was counted.
FEW_VALUES, SEEN = 20, 10
#: A Gaussian as narrow as this, in steps between values, has a density at its mean of more than
#: one a step: as the probability of a level it would exceed 1.
TOO_NARROW = 1 / math.sqrt(2 * math.pi)
#: Nats a cell that a wrong scale may cost; a scale wrong by a factor 1.6 costs this.
COST = 0.1
#: A scale within this factor of its floor has arrived there.
NEAR_FLOOR = 3.0
#: A cell explained to within a hundredth of its spread is explained as far as it was measured.
EXPLAINED = 0.01
SHOWN = 4


def counted_data(symptoms: Symptoms) -> Finding | None:
    """Find real-valued data of few values: illness once the scale is finer than their steps."""
    grid, cells = symptoms.grid, symptoms.cells
    few = [c for c in cells if 2 <= c.distinct <= min(FEW_VALUES, c.rows // SEEN)]
    narrow = [c for c in few if _narrow(c)] if grid is None else [c for c in cells if _narrow(c)]
    if grid is None and not few:
        return None
    if grid is not None:
        words = (
            f"The data look counted, not measured: all values lie on {grid.levels} evenly spaced "
            f"levels, {grid.step:.3g} apart. Their log p(x) is a density here, and a probability "
            f"under a likelihood of levels: to compare the two, add {grid.dimensions:,} x log "
            f"{grid.step:.3g} = {grid.dimensions * math.log(grid.step):,.1f} nats per example to "
            "this one"
        )
        remedy = (
            "Give whole numbers as uint8 images, for --likelihood discretized-logistic or "
            "categorical; see the notes of: lowerbound data DATA."
        )
    else:
        names = ", ".join(c.name for c in few[:4]) + (", ..." if len(few) > 4 else "")
        words = (
            f"{len(few)} of {len(cells)} columns take at most {FEW_VALUES} different values "
            f"({names}) and are modelled by a density, which has no upper limit there"
        )
        remedy = "Leave them out, or keep their scale from shrinking: --set scale=fixed."
    if narrow:
        words += (
            f". In {len(narrow)} of {len(cells)} cells the scale is finer than the steps "
            f"({narrow[0].name}: {narrow[0].scale:.2g} against {narrow[0].step:.2g}), so that a "
            "single level counts as more than certain: the figures mean nothing"
        )
    severity = "ill" if narrow else "warning"
    return Finding("counted data under a density", severity, words + ".", remedy)


def _narrow(cell: Cell) -> bool:
    return cell.step > 0 and cell.scale < TOO_NARROW * cell.step


def dispersion(symptoms: Symptoms) -> Finding | None:
    """Find standardised residuals of the training examples that are not of size one.

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
        typical = math.exp(sum(math.log(c.residual / c.unit) for c in cells) / len(cells))
        remedy = (
            "It has not been learned yet: more --epochs, a higher --set learning_rate=0.01, or a "
            f"better start, --set sigma={typical:.2g}."
        )
    return Finding("scale out of proportion", "warning", words, remedy)


def vanishing_scale(symptoms: Symptoms) -> Finding | None:
    """Find cells that a Gaussian of learned scale can predict exactly: the bound has no maximum.

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


def _listed(names: list[str]) -> str:
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" * (len(names) > SHOWN))
