"""Gaps filled: draws of the cells that are missing given those that were observed."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from torch.distributions import Distribution

from lowerbound.applications.weighing import check_samples, effective, sizes, weigh
from lowerbound.core import Batch, Model, device_of, on
from lowerbound.data import KINDS, Schema, Source
from lowerbound.distributions import fill
from lowerbound.errors import DataError, SettingError
from lowerbound.seeding import fresh_seed, seeded

#: The values that may stand for a gap.
POINTS = ("auto", "mean", "median", "mode")
MEAN, MEDIAN, MODE = range(3)
#: The ends of the interval that is given with each value.
LOW, HIGH = 0.05, 0.95


@dataclass(frozen=True)
class Imputed:
    """Examples without gaps, and how sure each value is; tensors on the CPU.

    Attributes:
        x: The examples, `(N, *event)`, float64; observed cells hold what they held.
        row: Of each of the `G` gaps, its example, `(G,)`.
        cell: Its place in an example that is flattened, `(G,)`.
        value: The value put there, `(G,)`.
        spread: Standard deviation of the cell given the observed ones, or, where the value is the
            most frequent one, the chance that it is another, `(G,)`.
        low: 5 % quantile of the draws, `(G,)`.
        high: 95 % quantile, `(G,)`.
        draws: Multiple imputations of the gaps, `(M, G)`: see `complete`.
        effective: Effective number of draws of each row with gaps, `(R,)`; below about 20 the
            values are rough, and more samples help.
    """

    x: Tensor
    row: Tensor
    cell: Tensor
    value: Tensor
    spread: Tensor
    low: Tensor
    high: Tensor
    draws: Tensor
    effective: Tensor

    def complete(self, draw: int) -> Tensor:
        """Return one imputation of all examples, `(N, *event)`."""
        whole = self.x.flatten(start_dim=1).clone()
        whole[self.row, self.cell] = self.draws[draw]
        return whole.reshape(self.x.shape)


@torch.no_grad()
def impute(
    model: Model | Sequence[Model],
    examples: Source,
    schema: Schema,
    *,
    samples: int = 1000,
    draws: int = 0,
    point: str = "auto",
    seed: int | None = None,
) -> Imputed:
    """Fill gaps by sampling importance resampling: z ~ q(z|x_obs), then x_mis ~ p(x_mis|z).

    Each of K draws z_k has the weight p(x_obs, z_k) / q(z_k|x_obs), which makes of draws of q those
    of the model's own posterior.

    Args:
        model: A trained model; or several that were trained on resamples of the data, whose
            differences then are part of the spread, as they should be with few rows.
        examples: `N` examples with gaps.
        schema: Their schema.
        samples: Draws `K` for each row and model; 100 at least for figures that count.
        draws: Multiple imputations `M`.
        point: The value of a gap: "mean", "median" or "mode" of the draws; "auto" for the mean of
            reals and the median of whole numbers. Words and bits always get the most frequent one;
            "mode" of reals whose draws never repeat is their median.
        seed: Of the draws; None for a fresh one. Where no multiple imputations are drawn, all rows
            meet the same noise, so that a mean depends on no other row; where they are, the rows
            are independent, as Rubin's rules need them.

    Raises:
        SettingError: An impossible number or point, or no model.
        DataError: A row is so extreme that none of its draws has a weight.

    Source: Rubin (1987), "The calculation of posterior distributions by data augmentation",
        comment (sampling importance resampling); Mattei & Frellsen (2019), section 3.2, arXiv
        1812.02633, for a variational autoencoder.
    """
    check_samples(samples)
    if isinstance(draws, bool) or not isinstance(draws, int) or draws < 0:
        raise SettingError(f"draws must be a whole number from 0 on, got {draws!r}")
    if point not in POINTS:
        raise SettingError(f"point is one of {', '.join(POINTS)}, got {point!r}")
    models = [model] if isinstance(model, Model) else list(model)
    if not models:
        raise SettingError("give at least one model to impute with")
    seed = fresh_seed() if seed is None else seed
    batch = examples.batch(slice(0, len(examples)))
    x = batch.x.double()
    gaps = torch.zeros_like(x, dtype=torch.bool) if batch.observed is None else ~batch.observed
    gaps = gaps.flatten(start_dim=1).cpu()
    incomplete = gaps.any(dim=1).nonzero().flatten()
    if not len(incomplete):
        return _nothing(x.cpu(), draws)
    at_once, most = sizes(models[0], samples)
    ways = _ways(schema, point)
    found = []
    for chunk, rows in enumerate(incomplete.split(at_once)):
        weights, values = [], []
        with seeded(seed, device_of(models[0]), stream=f"impute {chunk}"):
            for index, one in enumerate(models):
                alike = None if draws else seed + index
                with on(one) as device:
                    some = examples.batch(rows).to(device)
                    look = partial(_look, some)
                    log_weight, looks = weigh(one, some, samples, look, draws=most, seed=alike)
                weights.append(log_weight.cpu())
                values.append(looks.cpu())
            found.append(_filled(rows, gaps[rows], weights, values, ways, draws))
    row, cell, value, spread, low, high = (torch.cat([f[i] for f in found]) for i in range(6))
    whole = x.cpu().flatten(start_dim=1)
    whole[row, cell] = value
    drawn = torch.cat([f[6] for f in found], dim=1)
    size = torch.cat([f[7] for f in found])
    return Imputed(whole.reshape(x.shape), row, cell, value, spread, low, high, drawn, size)


def _look(batch: Batch, law: Distribution, rows: slice) -> Tensor:
    """E[x_mis|x_obs, z] and a draw of it, `(k, B, 2, cells)`."""
    x = batch.x[rows]
    whole = torch.ones_like(x, dtype=torch.bool)
    drawn, mean = fill(law, x, whole if batch.observed is None else batch.observed[rows])
    both = [mean.double(), drawn.double()]
    return torch.stack([part.flatten(start_dim=2) for part in both], dim=2)


def _ways(schema: Schema, point: str) -> Tensor:
    """How the value of each cell is found, `(cells,)`."""
    ways: list[int] = []
    for field in schema.modelled:
        kind = KINDS[field.kind]
        if not kind.standardised or kind.levels == 2:
            way = MODE
        elif point == "auto":
            way = MEDIAN if kind.discrete else MEAN
        else:
            way = {"mean": MEAN, "median": MEDIAN, "mode": MODE}[point]
        ways += [way] * field.cells
    return torch.tensor(ways)


def _filled(
    rows: Tensor,
    gaps: Tensor,
    log_weights: list[Tensor],
    looks: list[Tensor],
    ways: Tensor,
    draws: int,
) -> tuple[Tensor, ...]:
    """Row, cell, value, spread, low, high and draws of each gap, and effective draws of each row.

    Args:
        rows: `(B,)`.
        gaps: `(B, D)`.
        log_weights: Of each model, `(K, B)`.
        looks: Of each model, `(K, B, 2, D)`.
        ways: `(D,)`.
        draws: Multiple imputations.
    """
    bad = ~torch.stack([one.logsumexp(dim=0).isfinite() for one in log_weights]).all(dim=0)
    if bool(bad.any()):
        raise DataError(
            f"{int(bad.sum())} of the examples, the first of them number {int(rows[bad][0])}, lie "
            "too far from the training data to be imputed; look for extreme values"
        )
    place, cell = gaps.nonzero(as_tuple=True)
    each = [one.softmax(dim=0) for one in log_weights]
    drawn = []
    for index in range(draws):  # the models take turns: between-imputation variance has theirs
        turn = index % len(each)
        chosen = each[turn].T.multinomial(1).flatten()  # (B,): one z for all gaps of a row
        drawn.append(looks[turn][chosen[place], place, 1, cell])
    weight = torch.cat(each)[:, place] / len(each)
    mean, sample = (
        torch.cat([one[:, :, part][:, place, cell] for one in looks]) for part in (0, 1)
    )
    sample, order = sample.sort(dim=0)
    sorted_weight = weight.gather(0, order)
    total = sorted_weight.cumsum(dim=0)
    low, median, high = (_quantile(sample, total, share) for share in (LOW, 0.5, HIGH))
    mode, chance = _mode(sample, total)
    centre = (weight * mean).sum(dim=0)
    centre = torch.where(centre.isfinite(), centre, median)  # means of a heavy tail need not exist
    how = ways[cell]
    repeats = chance > weight.max(dim=0).values * (1 + 1e-9)  # of more than one draw
    value = torch.where(how == MEAN, centre, median)
    value = torch.where((how == MODE) & repeats, mode, value)
    moment = (sorted_weight * sample).sum(dim=0)
    variance = (sorted_weight * (sample - moment).square()).sum(dim=0)
    spread = torch.where((how == MODE) & repeats, 1 - chance, variance.sqrt())
    size = torch.stack([effective(one) for one in log_weights]).sum(dim=0)
    none = torch.empty(0, len(place), dtype=torch.float64)
    return (
        rows[place], cell, value, spread.clamp(min=0.0), low, high,
        torch.stack(drawn) if drawn else none, size,
    )  # fmt: skip


def _quantile(sample: Tensor, total: Tensor, share: float) -> Tensor:
    """The least draw with at least a share of the weight up to it; both `(K, G)`, ascending."""
    at = (total < share * total[-1]).sum(dim=0).clamp(max=len(sample) - 1)
    return sample.gather(0, at.unsqueeze(0)).squeeze(0)


def _mode(sample: Tensor, total: Tensor) -> tuple[Tensor, Tensor]:
    """The value with most weight, and its weight, of ascending draws and cumulated weights."""
    new = torch.ones_like(sample, dtype=torch.bool)
    new[1:] = sample[1:] != sample[:-1]
    before = torch.cat([torch.zeros_like(total[:1]), total[:-1]])
    start = torch.where(new, before, -math.inf).cummax(dim=0).values
    chance, at = (total - start).max(dim=0)  # greatest at the end of a run of equal values
    return sample.gather(0, at.unsqueeze(0)).squeeze(0), chance


def _nothing(x: Tensor, draws: int) -> Imputed:
    none, whole = torch.empty(0, dtype=torch.float64), torch.empty(0, dtype=torch.int64)
    return Imputed(x, whole, whole, none, none, none, none, none.new_empty(draws, 0), none)
