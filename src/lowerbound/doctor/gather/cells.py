"""Real-valued cells under a Gaussian: its scale, the residuals, and whether they were counted."""

import math

import torch
from torch import Tensor
from torch.distributions import Distribution, Normal

from lowerbound.core import Model, on
from lowerbound.data import Data, Examples, Schema
from lowerbound.distributions import Independent
from lowerbound.doctor.symptoms import Cell, Grid
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
    """What is known of each cell; none unless the likelihood is a Gaussian.

    Args:
        model: In evaluation mode.
        data: What it was trained on, without missing cells.
        train: `N` of its training examples, on which residuals are measured.
        seed: Of the draws.
    """
    if data.train.observed is not None:
        return ()
    measured = _scale_and_residual(model, train, seed)
    if measured is None:
        return ()
    scale, residual = measured
    width = data.schema.dimensions
    places = torch.arange(width)
    if width > MOST_CELLS:
        places = torch.linspace(0, width - 1, MOST_CELLS).long()
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
    """For each cell an earlier one that it is a linear function of, `(N, D)` to `D` places."""
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
    """The grid that real-valued data lie on as a whole, if it is so coarse that they look counted.

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
