"""Counted data under a density: figures that no other model's can be compared with."""

import math

from lowerbound.doctor.finding import Finding
from lowerbound.doctor.symptoms import Cell, Symptoms

#: A cell of at most so many different values, each seen so often on average, was counted.
FEW_VALUES, SEEN = 20, 10
#: A Gaussian as narrow as this, in steps between values, has a density at its mean of more than
#: one a step: as the probability of a level it would exceed 1.
TOO_NARROW = 1 / math.sqrt(2 * math.pi)


def counted_data(symptoms: Symptoms) -> Finding | None:
    """Real-valued data that take few values: illness once the scale is finer than their steps."""
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
