"""Columns that are cut into bins, each column into as many as it needs."""

from collections.abc import Sequence
from functools import cached_property
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn
from torch.distributions import Distribution, constraints

from lowerbound.distributions.bins import Bins
from lowerbound.distributions.centre import expected
from lowerbound.distributions.independent import widest
from lowerbound.distributions.rounded_logistic import Whole

#: Scale of the tails beyond the edges, as a share of the distance between these.
TAIL = 0.1
#: Sums of exponentials below this are found again, from the greatest of their own column: above it
#: none of their terms that counts is rounded to nothing.
LEAST = 1e-25


class Layout(nn.Module):
    """The bins of several columns, side by side, and which bin holds a number.

    A bin that held no training example has no logit but a fixed probability, as if it had held
    one: 1 / (N + U) for N examples and U such bins in the column; the others share the rest.

    Args:
        bins: Of each column.
        ordered: Whether the codes of a column without edges are levels that have a mean.

    Attributes:
        total: How many bins the columns have together.
        logits: How many of these have a logit.
    """

    offset: Tensor
    segment: Tensor

    def __init__(self, bins: Sequence[Bins], ordered: Sequence[bool] | None = None) -> None:
        super().__init__()
        self.bins = tuple(bins)
        self.ordered = tuple(ordered) if ordered is not None else (True,) * len(self.bins)
        self.discrete = all(one.coded or one.whole for one in self.bins)
        tables = [_table(one) for one in self.bins]
        sizes = [len(one.counts) for one in self.bins]
        self.total, self.logits = sum(sizes), sum(int(t["seen"].sum()) for t in tables)
        joined = {name: np.concatenate([t[name] for t in tables]) for name in tables[0]}
        seen = joined.pop("seen")
        column = np.repeat(np.arange(len(sizes)), sizes)
        self._put("offset", np.cumsum([0, *sizes[:-1]]))
        self._put("size_of", np.array(sizes))
        self._put("slot", np.where(seen, np.cumsum(seen) - 1, self.logits))
        self._put("segment", column[seen])
        self._put("column", column)
        for name, values in joined.items():
            self._put(name, values)
        coded = np.array([one.coded for one in self.bins])
        self._put("coded", np.flatnonzero(coded))
        self._put("cut", np.flatnonzero(~coded))
        cut = [one for one in self.bins if not one.coded]
        self._put("atoms", _padded([np.array(one.atoms) for one in cut]))
        self._put("ranks", _padded([np.array(one.atoms) - range(len(one.atoms)) for one in cut]))
        self._put("edges", _padded([np.array(one.edges) for one in cut]))
        self._put("atoms_of", np.array([len(one.atoms) for one in cut], int))
        self._put("ranges_of", np.array([one.ranges for one in cut], int))
        halves = np.array([0.5 if one.whole else 0.0 for one in self.bins])
        ends = np.array([(one.edges[0], one.edges[-1]) if one.edges else (0, 1) for one in bins])
        scale = TAIL * (ends[:, 1] - ends[:, 0])
        limits = [
            (0, len(one.counts) - 1) if one.coded else (one.low, one.high) for one in self.bins
        ]
        open_ends = np.array([[limit is None for limit in pair] for pair in limits])
        self._put("scale", scale)
        self._put("near", ends + halves[:, None] * [-1, 1])
        self._put("rate", open_ends / scale[:, None])
        lows, highs = zip(*limits, strict=True)
        self._put("least", np.array([-np.inf if v is None else v for v in lows]))
        self._put("most", np.array([np.inf if v is None else v for v in highs]))

    def _put(self, name: str, values: np.ndarray) -> None:
        self.register_buffer(name, torch.from_numpy(np.ascontiguousarray(values)), persistent=False)

    def code(self, value: Tensor) -> Tensor:
        """Return the bin that holds each number, among all bins of all columns.

        Args:
            value: `(..., n)`, numbers that the columns can hold.

        Returns:
            Whole numbers of the same shape, below `total`.
        """
        get = self.get_buffer
        found = torch.zeros(value.shape, dtype=torch.long, device=value.device)
        coded, cut = get("coded"), get("cut")
        if len(coded):
            codes = value.index_select(-1, coded).long().clamp(min=0)
            found.index_copy_(-1, coded, codes.minimum(get("size_of")[coded] - 1))
        if len(cut):
            flat = value.index_select(-1, cut).reshape(-1, len(cut))
            x = flat.to(get("edges").dtype).T.contiguous()
            places = torch.searchsorted(get("edges"), x, right=True)
            # the greatest number of training is the last edge, and lies below it
            top = get("edges").gather(1, get("ranges_of").unsqueeze(1))
            places = get("atoms_of").unsqueeze(1) + places - (x == top).long()
            if get("atoms").shape[1]:
                atom = torch.searchsorted(get("atoms"), x).clamp(max=get("atoms").shape[1] - 1)
                places = torch.where(get("atoms").gather(1, atom) == x, atom, places)
            found.index_copy_(-1, cut, places.T.reshape(*value.shape[:-1], len(cut)))
        return found + self.offset

    def normalisers(self, logits: Tensor) -> Tensor:
        """Return log sum exp of the logits of each column, `(..., n)`, from `(..., logits)`."""
        flat = logits.reshape(-1, self.logits)
        if flat.device.type != "cpu" or torch.compiler.is_compiling():
            return self._apart(flat).reshape(*logits.shape[:-1], len(self.bins))
        # the greatest logit of all columns serves each of them, but for one that lies far below
        top = flat.detach().amax(dim=1, keepdim=True)
        sums = (flat - top).exp_() @ self._of_columns(flat)
        found, low = sums.clamp_min(LEAST).log() + top, sums < LEAST
        if bool(low.any()):
            found = torch.where(low, self._apart(flat), found)
        return found.reshape(*logits.shape[:-1], len(self.bins))

    def _apart(self, flat: Tensor) -> Tensor:
        """Sum above the greatest logit of each column, `(N, n)`; twice the time on a processor."""
        with torch.no_grad():
            top = flat.new_full((flat.shape[0], len(self.bins)), -torch.inf)
            top.scatter_reduce_(1, self.segment.expand(flat.shape[0], -1), flat, "amax")
        sums = (flat - top.index_select(1, self.segment)).exp_() @ self._of_columns(flat)
        return sums.log() + top

    def _of_columns(self, like: Tensor) -> Tensor:
        """1 where a logit belongs to a column, `(logits, n)`."""
        zeros = like.new_zeros(self.logits, len(self.bins))
        return zeros.scatter_(1, self.segment.unsqueeze(1), 1.0)

    def start(self) -> Tensor:
        """Return the logits at which every bin has its share of the training examples."""
        counts = np.concatenate([one.counts for one in self.bins])
        return torch.from_numpy(np.log(counts[counts > 0]))

    def extra_repr(self) -> str:
        """How many bins there are of how many columns."""
        return f"{self.total} bins of {len(self.bins)} columns"


class Binned(Distribution):
    """Independent columns of bins: log p(x) = log softmax_b(logits) - log(size of bin b).

    Within a range p(x) is uniform: over its width, or over the whole numbers in it that are no
    atoms. Beyond the edges it falls exponentially, with a tenth of the distance between them as its
    scale, or is uniform up to the limit of the column if there is one. An atom of a column of reals
    is a point mass: its log p is a log-probability, and that of other numbers a log-density.

    Args:
        logits: `(..., layout.logits)`.
        layout: The bins of the `n` columns.

    Example:
        >>> bins = Bins(counts=(6, 0, 2, 0), atoms=(0.0,), edges=(0.0, 4.0))
        >>> p = Binned(torch.tensor([0.0, 0.0]), Layout([bins]))
        >>> p.log_prob(torch.tensor([[0.0], [1.0]])).exp().flatten()
        tensor([0.4000, 0.1000])
    """

    has_rsample = False

    def __init__(self, logits: Tensor, layout: Layout) -> None:
        self.logits, self.layout = logits, layout
        super().__init__(torch.Size((*logits.shape[:-1], len(layout.bins))), validate_args=False)

    @property
    def arg_constraints(self) -> dict[str, constraints.Constraint]:
        """The logits are real."""
        return {"logits": constraints.real_vector}

    @property
    def support(self) -> constraints.Constraint:
        """Whole numbers where all columns hold such; else any numbers."""
        return Whole() if self.layout.discrete else constraints.real

    def expand(self, batch_shape, _instance=None):  # type: ignore[no-untyped-def]
        """Return the same distribution under a larger batch shape."""
        shape = (*torch.Size(batch_shape)[:-1], self.logits.shape[-1])
        return Binned(self.logits.expand(shape), self.layout)

    @cached_property
    def _normalisers(self) -> Tensor:
        return self.layout.normalisers(self.logits)

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the log-density of each column, `(..., n)`, nats."""
        get = self.layout.get_buffer
        code = self.layout.code(value)
        slot, constant = get("slot")[code], get("constant")[code]
        seen = slot < self.layout.logits
        shape = torch.broadcast_shapes(value.shape, self.batch_shape)
        wide = self.logits.expand(*shape[:-1], -1)
        # an unseen bin looks at some logit and drops it: its mass is fixed
        logits = wide.gather(-1, slot.clamp(max=self.layout.logits - 1).expand(shape))
        fixed = torch.zeros((), dtype=logits.dtype, device=logits.device)
        learned = torch.where(seen, logits - self._normalisers, fixed)
        x = value.to(constant.dtype)
        beyond = torch.stack([get("near")[:, 0] - x, x - get("near")[:, 1]], dim=-1).clamp(min=0)
        constant = constant - (beyond * get("rate")).sum(dim=-1)
        outside = (x < get("least")) | (x > get("most"))
        return learned + constant.masked_fill(outside, -torch.inf).to(logits.dtype)

    @cached_property
    def masses(self) -> Tensor:
        """The probability of every bin, `(..., layout.total)`, float64."""
        get = self.layout.get_buffer
        norm = self._normalisers.index_select(-1, self.layout.segment)
        learned = (self.logits - norm).to(widest(self.logits.device))
        learned = nn.functional.pad(learned, (0, 1))
        return (learned.index_select(-1, get("slot")) + get("log_mass")).exp()

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:  # type: ignore[override]
        """Draw a bin of each column, and a number within it."""
        get, layout = self.layout.get_buffer, self.layout
        with torch.no_grad():
            shape = torch.Size(sample_shape) + self.batch_shape
            masses = self.masses
            ends = torch.stack([layout.offset, layout.offset + get("size_of")])
            sums = nn.functional.pad(masses.cumsum(dim=-1), (1, 0))
            first, last = sums[..., ends[0]], sums[..., ends[1]]
            share = torch.rand(shape, dtype=sums.dtype, device=sums.device).clamp(max=1 - 1e-12)
            wanted = first + share * (last - first)
            sums = sums[..., 1:].expand(*shape[:-1], layout.total).contiguous()
            code = torch.searchsorted(sums, wanted.contiguous(), right=True)
            code = code.maximum(ends[0]).minimum(ends[1] - 1)
            return self._within(code)

    def _within(self, code: Tensor) -> Tensor:
        """Draw a number in each of some bins, `(..., n)`."""
        get = self.layout.get_buffer
        first, size, tail = get("first")[code], get("size")[code], get("tail")[code]
        share = torch.rand(code.shape, dtype=first.dtype, device=first.device)
        far = -get("scale") * (1 - share).log()
        whole = get("ranked")[code]
        step = torch.where(whole, (share * size).floor(), share * size)
        beyond = torch.where(get("counted")[code], far.floor(), far)
        x = torch.where(tail != 0, first + tail * beyond, first + step)
        cut = get("cut")
        if len(cut) and get("ranks").shape[1]:
            # the whole numbers of a range are counted without the atoms among them
            own = x.index_select(-1, cut)
            flat = own.reshape(-1, len(cut)).T.contiguous()
            skipped = torch.searchsorted(get("ranks"), flat, right=True).T.reshape(own.shape)
            moved = torch.where(whole.index_select(-1, cut), own + skipped, own)
            x = x.index_copy(-1, cut, moved)
        return x

    def _moment(self, name: str) -> Tensor:
        get = self.layout.get_buffer
        parts = self.masses * get(name)
        total = torch.zeros(self.batch_shape, dtype=parts.dtype, device=parts.device)
        return total.index_add(-1, get("column"), parts)

    @property
    def mean(self) -> Tensor:
        """The exact means, `(..., n)`, float64; nan for codes without order."""
        ordered = torch.tensor(self.layout.ordered, device=self.logits.device)
        return self._moment("centre").masked_fill(~ordered, torch.nan)

    @property
    def variance(self) -> Tensor:
        """The exact variances, `(..., n)`, float64; nan for codes without order."""
        return self._moment("square") - self.mean.square()


@expected.register
def _(distribution: Binned) -> Tensor:
    found, layout, first = distribution.mean, distribution.layout, 0
    for place, ordered in enumerate(layout.ordered):
        width = len(layout.bins[place].counts)
        if not ordered:
            own = distribution.masses[..., first : first + width]
            found[..., place] = own.argmax(dim=-1).to(found.dtype)
        first += width
    return found


def _padded(rows: Sequence[np.ndarray]) -> np.ndarray:
    """Stack arrays of different lengths, with infinity after the shorter."""
    longest = max(map(len, rows), default=0)
    found = np.full((len(rows), longest), np.inf)
    for row, values in zip(found, rows, strict=True):
        row[: len(values)] = values
    return found


def _table(bins: Bins) -> dict[str, np.ndarray]:
    """Describe every bin of a column.

    Returns:
        By name, one entry a bin: "seen" whether it has a logit; "log_mass", fixed, to which the
        log-softmax of its logit is added if it has one; "constant", the same as a density; "first"
        and "size" of a range, in a column of whole numbers counted without the atoms ("ranked");
        "tail" -1 below and 1 above, with "counted" for whole numbers; and its mean and mean square.
    """
    counts = np.array(bins.counts)
    bare = np.zeros(len(counts))
    first, size, tail = bare.copy(), np.ones(len(counts)), np.zeros(len(counts), int)
    ranked = np.zeros(len(counts), bool)
    centre, square, log_size = bare.copy(), bare.copy(), bare.copy()
    n = len(counts) if bins.coded else len(bins.atoms)
    first[:n] = centre[:n] = np.arange(n) if bins.coded else bins.atoms
    square[:n], size[:n] = np.square(centre[:n]), 0
    possible = np.ones(len(counts), bool)
    if not bins.coded:
        edges = [bins.edges[0] if bins.low is None else bins.low - 0.5 * bins.whole, *bins.edges]
        edges.append(bins.edges[-1] if bins.high is None else bins.high + 0.5 * bins.whole)
        scale = TAIL * (bins.edges[-1] - bins.edges[0])
        for place, (start, end) in enumerate(pairwise(edges), n):
            is_tail = (place == n and bins.low is None) or (
                place == len(counts) - 1 and bins.high is None
            )
            if is_tail:
                sign = -1 if place == n else 1
                tail[place] = sign
                first[place] = (start if sign > 0 else end) + sign * 0.5 * bins.whole
                step, spread, log_size[place] = _tail(scale, whole=bins.whole)
                centre[place] = first[place] + sign * step
                square[place] = centre[place] ** 2 + spread
            elif bins.whole:
                numbers = _Numbers(start + 0.5, end + 0.5, bins.atoms)
                first[place], size[place], ranked[place] = numbers.rank, numbers.count, True
                centre[place], square[place] = numbers.moments()
                possible[place] = numbers.count > 0
            else:
                first[place], size[place] = start, end - start
                centre[place] = (start + end) / 2
                square[place] = centre[place] ** 2 + (end - start) ** 2 / 12
                possible[place] = end > start
        inside = (tail == 0) & possible
        inside[:n] = False
        log_size[inside] = np.log(size[inside])
    seen, unseen = counts > 0, (counts == 0) & possible
    examples, more = counts.sum(), unseen.sum()
    log_mass = np.full(len(counts), -np.inf)
    log_mass[seen] = np.log(examples / (examples + more))
    log_mass[unseen] = -np.log(examples + more)
    return {
        "seen": seen, "log_mass": log_mass, "constant": log_mass - log_size,
        "first": first, "size": size, "tail": tail, "ranked": ranked,
        "counted": np.full(len(counts), bins.whole), "centre": centre, "square": square,
    }  # fmt: skip


def _tail(scale: float, *, whole: bool) -> tuple[float, float, float]:
    """Return mean and variance of an exponential tail, and the log of its inverse first density."""
    if not whole:
        return scale, scale**2, float(np.log(scale))
    stop = -np.expm1(-1 / scale)
    return (1 - stop) / stop, (1 - stop) / stop**2, -float(np.log(stop))


class _Numbers:
    """The whole numbers from `start` to below `end` that are no atoms."""

    def __init__(self, start: float, end: float, atoms: Sequence[float]) -> None:
        below, above = np.searchsorted(np.array(atoms), [start, end])
        self.inside = np.array(atoms[below:above])
        self.start, self.end = start, end
        self.rank, self.count = start - below, end - start - len(self.inside)

    def moments(self) -> tuple[float, float]:
        """Return their mean and mean square; zeros if there are none."""
        if self.count <= 0:
            return 0.0, 0.0
        n, middle = self.end - self.start, (self.start + self.end - 1) / 2
        squares = n * (middle**2 + (n**2 - 1) / 12) - np.square(self.inside).sum()
        return float((n * middle - self.inside.sum()) / self.count), float(squares / self.count)
