"""Cells: their scale and residuals under a Gaussian, whether counted, and their dependence."""

import math

import torch
from torch import Tensor
from torch.distributions import Distribution, Normal

from lowerbound.core import Model, on
from lowerbound.data import Data, Examples, Schema
from lowerbound.distributions import Independent
from lowerbound.doctor.symptoms import Cell, Grid, Structure
from lowerbound.seeding import seeded

#: Most cells looked at; of more, these many, evenly spaced.
MOST_CELLS = 1000
#: Training examples among which different values are counted.
MOST_ROWS = 2000
#: Correlations nearer to 1 than this are those of a copy, up to rounding.
COPY = 1e-6
#: Images of at most so many grey levels are counted, not measured.
MOST_LEVELS = 256
#: Columns of at most so many different whole or decimal values likewise.
FEW_LEVELS = 20
#: Fewest cells for each level, lest a small sample of reals with few decimals looks counted.
CELLS_PER_LEVEL = 20


def cells_of(model: Model, data: Data, train: Examples, seed: int) -> tuple[Cell, ...]:
    """Measure each cell; none unless the likelihood is a Gaussian and the data without gaps.

    Residuals are those of `train`, some of the training examples.
    """
    measured = _scale_and_residual(model, train, seed) if data.train.observed is None else None
    if measured is None:
        return ()
    scale, residual = measured
    width = data.schema.dimensions
    places = _places(width)
    x = data.train.few(MOST_ROWS).x.reshape(-1, width)[:, places].double()
    names = _names(data.schema)
    twins = _twins(x)
    cells = []
    for i, place in enumerate(places.tolist()):
        values = x[:, i].unique()
        spread = float(x[:, i].std(unbiased=False)) if len(values) > 1 else 0.0
        cells.append(
            Cell(
                name=names[place],
                scale=float(scale[place]),
                unit=spread or 1.0,
                residual=float(residual[place]),
                step=float(values.diff().min()) if len(values) > 1 else 0.0,
                distinct=len(values),
                rows=len(x),
                twin=None if twins[i] is None else names[int(places[twins[i]])],
            )
        )
    return tuple(cells)


def _places(width: int) -> Tensor:
    every = torch.arange(width)
    return every if width <= MOST_CELLS else torch.linspace(0, width - 1, MOST_CELLS).long()


@torch.no_grad()
def _scale_and_residual(model: Model, train: Examples, seed: int) -> tuple[Tensor, Tensor] | None:
    """Measure scale and root mean square residual of Gaussian cells, `(D,)`, units of the data."""

    def draw(name: str, p: Distribution, q: Distribution | None) -> Tensor:
        return (p if q is None else q).sample()

    with on(model) as device, seeded(seed, device, stream="doctor"):
        batch = train.batch(slice(None)).to(device)
        law = model.descend(draw, batch, batch.condition)
    if not (isinstance(law, Independent) and isinstance(law.base_dist, Normal)):
        return None
    residual = (batch.x - law.base_dist.loc).double().square().mean(dim=0).sqrt()
    scale = law.base_dist.scale.expand_as(batch.x)[0].double()
    return scale.flatten().cpu(), residual.flatten().cpu()


def _twins(x: Tensor) -> list[int | None]:
    """Find for each cell an earlier one that it is a linear function of, `(N, D)` to `D` places."""
    centred = x - x.mean(dim=0)
    length = centred.norm(dim=0)
    varies = length > 0
    unit = torch.where(varies, centred / length.clamp_min(1e-300), 0.0)
    alike = torch.tril((unit.mT @ unit).abs() > 1 - COPY, diagonal=-1)
    return [int(row.nonzero()[0]) if bool(row.any()) else None for row in alike]


def _names(schema: Schema) -> list[str]:
    if schema.is_table:
        return [repr(field.name) for field in schema.fields]
    noun = "cell" if schema.is_image else "column"
    return [f"{noun} {place + 1}" for place in range(schema.dimensions)]


def grid_of(data: Data) -> Grid | None:
    """Find the grid that real-valued data lie on, if it is so coarse that they look counted.

    Images count as such with up to 256 evenly spaced levels (bytes, or bytes / 255); vectors and
    tables where all values are whole numbers, or there are at most 20 levels.
    """
    if data.schema.kind != "real" or data.train.observed is not None:
        return None
    x = data.train.few(MOST_ROWS).x.double()
    values = x.unique()
    if len(values) < 2 or len(values) > MOST_LEVELS:
        return None
    step = float(values.diff().min())
    count = (values - values[0]) / step
    levels = round(float(count[-1])) + 1
    # float32 keeps 7 digits: of 256 levels each is known to a ten-thousandth of a step
    even = float((count - count.round()).abs().max()) < 1e-3
    if not even or levels > MOST_LEVELS or x.numel() < CELLS_PER_LEVEL * levels:
        return None
    whole = math.isclose(step, round(step)) and bool((values == values.round()).all())
    if data.schema.is_image or whole or levels <= FEW_LEVELS:
        return Grid(step, levels, data.schema.dimensions)
    return None


def structure_of(data: Data) -> Structure | None:
    """Correlate the cells of the training examples with each other; None where none is known.

    t = sum_{i<j} r_ij^2 - D (D - 1) / (2 n) over its standard deviation, with n = N - 1.

    Source: Schott (2005), Testing for complete independence in high dimensions, Biometrika 92,
        theorem 1.
    """
    if data.train.observed is not None:  # a filler is no value
        return None
    x = data.train.few(MOST_ROWS).x.reshape(min(len(data.train), MOST_ROWS), -1).double()
    x = x[:, _places(x.shape[1])]
    x = x - x.mean(dim=0)
    length = x.norm(dim=0)
    x = x[:, length > 0] / length[length > 0]
    width, n = x.shape[1], len(x) - 1
    if width < 2:  # a single cell depends on no other
        return Structure(correlation=0.0, chance=0.0, score=0.0, strongest=0.0)
    if n < 3:
        return None
    r = (x.mT @ x).square().fill_diagonal_(0.0)
    squares = float(r.sum() / 2)
    pairs = width * (width - 1) / 2
    deviation = math.sqrt(2 * pairs * (n - 1) / (n * n * (n + 2)))
    return Structure(
        correlation=math.sqrt(max(squares, 0.0) / pairs),
        chance=math.sqrt(1 / n),
        score=(squares - pairs / n) / deviation,
        strongest=float(r.max()),
    )
