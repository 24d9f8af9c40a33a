"""Rows that do not fit: how unusual each is, how sure that is, and which of its cells are odd."""

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.distributions import Distribution

from lowerbound.applications.weighing import cells_of, check_samples, effective, sizes, weigh
from lowerbound.core import Batch, Model, on
from lowerbound.data import Examples, Source
from lowerbound.errors import DataError, SettingError
from lowerbound.seeding import seeded

#: Share of effective draws below which a cell is looked at again, by an encoder that does not see
#: it: 5 of 100.
FEW_DRAWS = 0.05
#: Rows from which the effect of gaps is learned, at most.
MOST_FOR_GAPS = 2000
#: Strength of the ridge regression of scores on gaps, in observations of each cell.
RIDGE = 1.0


@dataclass(frozen=True)
class Calibration:
    """How held-out rows score, which is what other rows are compared with.

    Attributes:
        scores: Of the held-out rows, `(n,)`, nats, ascending.
        medians: Of -log p(x_j | x_-j) over them, `(cells,)`, nats; nan where nothing was looked at.
        costs: Nats that a cell adds to a row's score when it is observed, on average, `(cells,)`;
            0 where that is not known.
        samples: Draws of z for each row.
        seed: Of the noise, which all rows share.
    """

    scores: Tensor
    medians: Tensor
    costs: Tensor
    samples: int
    seed: int


@dataclass(frozen=True)
class Anomalies:
    """How unusual `N` rows are; tensors on the CPU, float64.

    Attributes:
        score: -log p(x), `(N,)`, nats: higher is odder. Of a row with gaps, that of its observed
            cells, and for each gap what such a cell costs on average.
        percentile: Share of the held-out rows with a lower score, in percent, `(N,)`.
        p_value: (1 + held-out rows that score at least as high) / (n + 1), `(N,)`: of rows like
            the held-out ones a share of at most a has a p-value of at most a, whatever the model.
        cells: -log p(x_j | the other cells) above the held-out median of its column,
            `(N, *event)`, nats; nan for a gap. They need not add up to the score. A word that
            training never saw has the chance of all such words.
        constants: Costs likewise for the columns that never varied in training, `(N, C)`, nats;
            nan where they still do not. None if none varies.
    """

    score: Tensor
    percentile: Tensor
    p_value: Tensor
    cells: Tensor | None
    constants: Tensor | None = None

    def flagged(self, fdr: float) -> Tensor:
        """Tell which rows are anomalies, such that about a share `fdr` of them is not, `(N,)`.

        Raises:
            SettingError: `fdr` is not between 0 and 1.

        Source: Benjamini & Hochberg (1995); valid for conformal p-values: Bates et al. (2023),
            theorem 2, arXiv 2104.08279.
        """
        if not 0 < fdr < 1:
            raise SettingError(f"fdr must lie between 0 and 1, got {fdr!r}")
        ascending, _ = self.p_value.sort()
        ranks = torch.arange(1, len(ascending) + 1, dtype=torch.float64)
        passed = ascending[ascending <= fdr * ranks / len(ascending)]
        return self.p_value <= (passed[-1] if len(passed) else -1.0)


def calibrate(
    model: Model,
    held_out: Source,
    *,
    gaps: Source | None = None,
    cells: bool = True,
    samples: int = 100,
    seed: int = 0,
) -> Calibration:
    """Score rows that the model was not trained on.

    Args:
        model: A trained model.
        held_out: `n` rows; a p-value can be as small as 1 / (n + 1).
        gaps: Rows from which the cost of an observed cell is learned, such as those of training:
            each is scored as it is, and with some cells hidden. None if no row has gaps.
        cells: Whether to look at single cells.
        samples: Draws of z for each row.
        seed: Of the noise.

    Raises:
        DataError: There are no held-out rows.
        SettingError: `samples` is out of range.
        SupportError: The cells of p(x|z) depend on each other, and `cells` or `gaps` is asked for.
    """
    check_samples(samples)
    if not len(held_out):
        raise DataError("there are no held-out rows to compare with")
    width = held_out.batch(slice(0, 1)).x[0].numel()
    costs = torch.zeros(width, dtype=torch.float64)
    if gaps is not None:
        costs = _costs(model, gaps.few(MOST_FOR_GAPS), samples, seed)
    score, odd = _scored(model, held_out, samples, seed, costs, cells=cells)
    medians = torch.full((width,), math.nan, dtype=torch.float64)
    if odd is not None:
        medians = odd.nanmedian(dim=0).values
    return Calibration(score.sort().values, medians, costs, samples, seed)


def anomalies(
    model: Model, examples: Source, calibration: Calibration, *, cells: bool = True
) -> Anomalies:
    """Judge rows; each by itself, and the same way at each call.

    Args:
        model: A trained model.
        examples: `N` rows.
        calibration: By `calibrate`, of the same model.
        cells: Whether to look at single cells: then p(x_j | x_-j) is found from the same draws of
            z, with weights w_k / p(x_j|z_k), and where these leave fewer than 5 % effective draws,
            in vectors and tables, from draws of an encoder from which the cell is hidden.

    Raises:
        SupportError: The cells of p(x|z) depend on each other, and single ones are asked for.
    """
    if not len(examples):
        raise DataError("there are no rows to judge")
    held = calibration
    score, odd = _scored(model, examples, held.samples, held.seed, held.costs, cells=cells)
    unseen = examples.unseen if isinstance(examples, Examples) else None
    constants = None
    if unseen is not None:
        score = score - unseen.sum(dim=1)
        width = examples.batch(slice(0, 1)).x[0].numel()
        constants = torch.where(unseen[:, width:] < 0, -unseen[:, width:], math.nan)
    below = torch.searchsorted(held.scores, score)
    count = len(held.scores)
    if odd is not None:
        shape = examples.batch(slice(0, 1)).x.shape[1:]
        odd = odd - held.medians.nan_to_num(nan=0.0)
        if unseen is not None:
            own = unseen[:, : odd.shape[1]]
            odd = torch.where(own < 0, -own, odd)
        odd = odd.reshape(len(score), *shape)
    p_value = (1 + count - below) / (count + 1.0)
    return Anomalies(score, 100.0 * below / count, p_value, odd, constants)


@torch.no_grad()
def _scored(
    model: Model, examples: Source, samples: int, seed: int, costs: Tensor, *, cells: bool
) -> tuple[Tensor, Tensor | None]:
    """Score `(N,)` and -log p(x_j | x_-j) `(N, cells)`, nan for gaps."""
    rows, draws = sizes(model, samples)
    scores, odd = [], []
    with on(model) as device:
        for start in range(0, len(examples), rows):
            batch = examples.batch(slice(start, min(start + rows, len(examples)))).to(device)

            def look(law: Distribution, rows: slice, batch: Batch = batch) -> Tensor:
                if not cells:
                    return torch.empty(*law.batch_shape, 0)
                some = batch.rows(rows)
                return cells_of(law, some.x, some.observed).double().flatten(start_dim=2)

            log_weight, looks = weigh(model, batch, samples, look, draws=draws, seed=seed)
            log_px = log_weight.logsumexp(dim=0)
            score = math.log(samples) - log_px.cpu()
            if batch.observed is not None:
                score = score + (~batch.observed.flatten(start_dim=1)).cpu().double() @ costs
            scores.append(score)
            if cells:
                odd.append(_cells(model, batch, log_weight, looks, samples, draws, seed))
    score = torch.cat(scores).double().nan_to_num(nan=math.inf, posinf=math.inf)
    return score, torch.cat(odd) if cells else None


def _cells(
    model: Model,
    batch: Batch,
    log_weight: Tensor,
    looks: Tensor,
    samples: int,
    draws: int,
    seed: int,
) -> Tensor:
    """-log p(x_j | x_-j) of some rows, `(B, cells)`, nats, on the CPU; nan for gaps.

    p(x) / p(x_-j) = sum_k w_k / sum_k (w_k / p(x_j|z_k)) with w_k = p(x, z_k) / r(z_k).
    """
    without = log_weight.unsqueeze(-1) - looks
    found = without.logsumexp(dim=0) - log_weight.logsumexp(dim=0).unsqueeze(-1)
    known = torch.ones_like(found, dtype=torch.bool)
    if batch.observed is not None:
        known = batch.observed.flatten(start_dim=1)
    if batch.x.ndim == 2:
        rough = known & ~(effective(without) >= FEW_DRAWS * samples)
        pairs = rough.nonzero()
        for some in pairs.split(sizes(model, samples)[0]) if len(pairs) else ():
            row, cell = some.unbind(dim=1)
            hidden = known[row].clone()
            hidden[torch.arange(len(row)), cell] = False
            condition = None if batch.condition is None else batch.condition[row]
            there = Batch(batch.x[row], known[row], condition)

            def look(
                law: Distribution, rows: slice, there: Batch = there, cell: Tensor = cell
            ) -> Tensor:
                one, own = there.rows(rows), cell[rows]
                every = cells_of(law, one.x, one.observed).double()
                return every.gather(-1, own.expand(len(every), -1).unsqueeze(-1)).squeeze(-1)

            again = replace(there, observed=hidden)
            weight, own = weigh(model, again, samples, look, draws=draws, seed=seed)
            found[row, cell] = weight.logsumexp(dim=0) - (weight + own).logsumexp(dim=0)
    return (
        torch.where(known, found.nan_to_num(nan=math.inf, posinf=math.inf), math.nan).double().cpu()
    )


def _costs(model: Model, rows: Source, samples: int, seed: int) -> Tensor:
    """Fit what an observed cell adds to the score on average, `(cells,)`: a ridge regression.

    Each row counts as it is and with a share of its cells hidden, uniform from none to all.
    """
    batch = rows.batch(slice(0, len(rows)))
    width = batch.x[0].numel()
    known = torch.ones_like(batch.x, dtype=torch.bool)
    if batch.observed is not None:
        known = batch.observed
    with seeded(seed, stream="gaps"):
        share = torch.rand(len(batch), *[1] * (batch.x.ndim - 1))
        kept = known & (torch.rand(batch.x.shape) >= share)
    none = torch.zeros(width, dtype=torch.float64)
    x, y = [], []
    for observed in (known, kept):
        some = Examples(batch.x, observed)
        y.append(_scored(model, some, samples, seed, none, cells=False)[0])
        x.append(observed.flatten(start_dim=1).double())
    design, score = torch.cat(x), torch.cat(y)
    finite = score.isfinite()
    design, score = design[finite], score[finite]
    centred = design - design.mean(dim=0)
    gram = centred.T @ centred + RIDGE * torch.eye(width, dtype=torch.float64)
    return torch.linalg.solve(gram, centred.T @ (score - score.mean()))
