"""New examples some of whose cells are told: a value, one of several, or an interval."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.distributions import Distribution

from lowerbound.applications.weighing import cells_of, check_samples, effective, sizes
from lowerbound.core import Batch, Model, flatten, on
from lowerbound.data import KINDS, Field, Schema
from lowerbound.data.moments import UNITS, parse_one
from lowerbound.data.read.words import MISSING
from lowerbound.distributions import Product, log_prob
from lowerbound.errors import SettingError, UnknownNameError
from lowerbound.models import Gaps
from lowerbound.seeding import seeded

#: Probability of a condition below which it is refused.
LEAST = 1e-6
#: Values of a condition that an encoder is shown, one at a time, to find where z may lie.
SHOWN = 8
#: Draws of a law without a cumulative distribution function, for its mass of an interval.
DRAWS = 256
#: Whole numbers that an interval without an upper end goes up to, beyond its lower one.
FURTHEST = 10_000


@dataclass(frozen=True)
class Condition:
    """A condition on one cell.

    Args:
        cell: Its place in an example that is flattened.
        values: It is one of these, as stored; empty for an interval.
        low: Lower end of the interval.
        high: Upper end.
        gap: It is a gap, and has no value.
    """

    cell: int
    values: tuple[float, ...] = ()
    low: float = -math.inf
    high: float = math.inf
    gap: bool = False


@dataclass(frozen=True)
class Conditioned:
    """Examples that fulfil conditions.

    Attributes:
        x: `(N, *event)`, float64, on the CPU.
        log_p: log p of the conditions, nats: a density where a real has one exact value.
        effective: Effective number of draws that the examples were chosen from; below about 20
            many of them share a z.
        observed: Which cells are no gaps, bool, as `x`; None for all.
    """

    x: Tensor
    log_p: float
    effective: float
    observed: Tensor | None = None


def condition_of(text: str, schema: Schema) -> Condition:
    """Read a condition such as "age=30..40", "town=Bern|Chur", "age=..18", "pay=4000" or "pay=NA".

    A number stands for all that are written like it: 30 of a column of whole numbers is 29.5 to
    30.5 where it is stored as a real.

    Raises:
        SettingError: It cannot be read, asks for a gap or a value, or there are no columns.
        UnknownNameError: There is no such column, or no such word in it.
    """
    name, equals, told = text.partition("=")
    if not equals or not told.strip():
        raise SettingError(f"a condition is COLUMN=VALUE, A|B or LOW..HIGH, got {text!r}")
    if name in [field.name for field in schema.told]:
        raise SettingError(
            f"{name!r} is no cell of a row: the model is told it; use --condition {text}"
        )
    if not schema.is_table:
        raise SettingError(
            f"a condition on cells is for tables; the model takes {schema.describe()}"
        )
    fields = {field.name: field for field in schema.modelled}
    if name not in fields:
        raise UnknownNameError("column", name, fields)
    field = fields[name]
    cell = schema.columns_of(field).start
    parts = [part.strip() for part in told.split("|")]
    if any(part.lower() in MISSING for part in parts) and not set(parts) <= set(field.categories):
        if len(parts) > 1:
            raise SettingError(f"{text}: a gap stands alone, as in {name}={parts[0]}")
        return Condition(cell, gap=True)
    if field.categories:
        for part in parts:
            if part not in field.categories:
                raise UnknownNameError(f"value of {name!r}", part, field.categories)
        return Condition(cell, tuple(float(field.categories.index(part)) for part in parts))
    # whole numbers without a limit are told by an interval
    discrete = field.levels is not None or field.kind == "count"
    ends = [_ends(part, field, discrete) for part in parts]
    if discrete:
        top = (field.levels or 0) - 1
        whole: list[float] = []
        for low, high in ends:
            first = max(0, math.ceil(low)) if math.isfinite(low) else 0
            last = (
                math.floor(high) if math.isfinite(high) else (top if top > 0 else first + FURTHEST)
            )
            whole += [float(value) for value in range(first, last + 1)]
        if not whole or (top > 0 and max(whole) > top):
            raise SettingError(f"{text} names no value that the column can take")
        return Condition(cell, tuple(dict.fromkeys(whole)))
    if len(ends) > 1:
        raise SettingError(f"{text}: a column of reals takes one value or one interval")
    low, high = ends[0]
    return Condition(cell, (low,)) if low == high else Condition(cell, (), low, high)


def _ends(part: str, field: Field, discrete: bool) -> tuple[float, float]:
    low, dots, high = part.partition("..")
    first = _number(low, field) if low else -math.inf
    last = (_number(high, field) if high else math.inf) if dots else first
    if not first <= last:
        raise SettingError(f"{part} is an empty interval; write LOW..HIGH")
    half = 0.0
    if not discrete and (field.whole or field.decimals is not None or field.unit is not None):
        half = 0.5 * 10.0 ** -(field.decimals or 0)
    return first - half, last + half


def _number(word: str, field: Field) -> float:
    """A number as it is stored, from the way it is written."""
    if field.form is not None and field.unit is not None and field.kind != "duration":
        found = parse_one(word.strip(), field.form)
        if found is None:
            shown = f" written {field.form}" if "%" in field.form else ""
            raise SettingError(f"column {field.name!r} holds dates or times{shown}, got {word!r}")
        return found / UNITS[field.unit]
    try:
        return float(word)
    except ValueError:
        holds = f"durations in {field.unit}s" if field.kind == "duration" else "numbers"
        raise SettingError(f"column {field.name!r} holds {holds}, got {word!r}") from None


@torch.no_grad()
def generate_where(
    model: Model,
    count: int,
    conditions: Sequence[Condition],
    schema: Schema,
    *,
    gaps: Gaps | None = None,
    samples: int = 1000,
    seed: int | None = None,
) -> Conditioned:
    """Draw examples that fulfil conditions, by sampling importance resampling; none is rejected.

    z is proposed by p(z) and by the encoder, to which values of the condition are shown, and is
    weighed by p(z) times the mass that p(x|z) gives to the condition. Then x ~ p(x|z), with the
    cells of the condition drawn from within it. With a law of gaps, m ~ p(m|z) under which cells
    that have a value in the condition are known, and those that are told to be gaps are none.

    Args:
        model: A trained model.
        count: How many.
        conditions: At most one for each cell.
        schema: Schema of an example.
        gaps: The law of gaps that was fitted to the model; None for rows without any.
        samples: Proposals of z.
        seed: Of the draws; None for fresh ones.

    Raises:
        SettingError: The condition has a probability below 1e-6, which is told; two conditions
            are on one cell; or a cell is to be a gap and there is no law of gaps.
        SupportError: The cells of p(x|z) depend on each other.

    Source: Rubin (1987), as for `impute`; several proposals: Veach & Guibas (1995), section 3
        (balance heuristic).
    """
    check_samples(samples)
    cells = [one.cell for one in conditions]
    if count < 1 or not cells or len(set(cells)) < len(cells):
        raise SettingError("give a count of at least 1, and one condition for each cell")
    told = torch.zeros(schema.dimensions)
    for one in conditions:
        told[one.cell] = -1 if one.gap else 1
    if gaps is None and bool((told < 0).any()):
        raise SettingError("a cell is to be a gap, and the model has no law of gaps")
    conditions = [one for one in conditions if not one.gap]
    with on(model) as device, seeded(seed, device):
        told, shown = told.to(device), _shown(conditions, schema).to(device)
        z, log_weight = _proposed(model, shown, samples)
        at_once = sizes(model, samples)[1]
        masses = []
        for part in range(0, len(log_weight), at_once):
            some = {name: value[part : part + at_once] for name, value in z.items()}
            mass = _log_mass(model.decode(some), conditions, shown.x[0])
            if gaps is not None:
                mass = mass + gaps.log_mass(flatten(some, model.latents), told)
            masses.append(mass)
        log_weight = log_weight + torch.cat(masses)
        log_p = float(log_weight.logsumexp(dim=0)) - math.log(len(log_weight))
        density = any(len(c.values) == 1 and not _discrete(c, schema) for c in conditions)
        if not (density or log_p >= math.log(LEAST)) or not math.isfinite(log_p):
            about = f"{math.exp(log_p):.1e}" if math.isfinite(log_p) else "0"
            raise SettingError(
                f"the condition has a probability of {about} under the model, less than "
                f"{LEAST:g}; loosen it"
            )
        chosen = log_weight.softmax(dim=0).multinomial(count, replacement=True)
        drawn, known = [], []
        for some in chosen.split(at_once):
            own = {name: value[some] for name, value in z.items()}
            law = model.decode(own)
            x = law.sample().double()
            flat = x.reshape(len(x), -1)
            for one in conditions:
                flat[:, one.cell] = _within(law, one, shown.x[0])
            drawn.append(flat.reshape(x.shape).cpu())
            if gaps is not None:
                known.append(gaps.draw(gaps(flatten(own, model.latents)), told).cpu())
    observed = torch.cat(known) if known else None
    return Conditioned(torch.cat(drawn), log_p, float(effective(log_weight)), observed)


def _discrete(condition: Condition, schema: Schema) -> bool:
    kinds = [field.kind for field in schema.modelled for _ in range(field.cells)]
    return KINDS[kinds[condition.cell]].discrete


def _shown(conditions: Sequence[Condition], schema: Schema) -> Batch:
    """Rows that an encoder sees: some with values of the condition, one with the certain ones."""
    x = torch.zeros(SHOWN + 1, schema.dimensions, dtype=schema.dtype)
    observed = torch.zeros(x.shape, dtype=torch.bool)
    turn = torch.arange(SHOWN)
    for one in conditions:
        certain = len(one.values) == 1
        if one.values:
            place = (
                (turn * len(one.values)) // SHOWN
                if len(one.values) > SHOWN
                else turn % len(one.values)
            )
            values = torch.tensor(one.values)[place]
        elif math.isfinite(one.low) and math.isfinite(one.high):
            values = one.low + (one.high - one.low) * (turn + 0.5) / SHOWN
        else:
            values = torch.full((SHOWN,), one.low if math.isfinite(one.low) else one.high)
        x[:SHOWN, one.cell] = values.to(x.dtype)
        observed[:SHOWN, one.cell] = True
        if certain:
            x[SHOWN, one.cell], observed[SHOWN, one.cell] = x[0, one.cell], True
    return Batch(x.reshape(-1, *schema.shape), observed.reshape(-1, *schema.shape))


def _proposed(model: Model, shown: Batch, samples: int) -> tuple[dict[str, Tensor], Tensor]:
    """Propose z, by group `(N, *shape)`, with log p(z) - log r(z), `(N,)`."""
    rows = len(shown)
    each = math.ceil(samples / (rows + 1))
    found: dict[str, Tensor] = {}

    def propose(name: str, p: Distribution, q: Distribution | None) -> Tensor:
        if q is None:
            raise SettingError(f"the model has no q for group '{name}', and cannot be told of x")
        found[name] = q.sample(torch.Size([each] if len(q.batch_shape) < 2 else []))
        return found[name]

    model.infer(propose, shown)
    prior = model.sample(each).latents
    z = {name: torch.cat([v.flatten(end_dim=1), prior[name]]) for name, v in found.items()}
    log_p, log_q = torch.zeros(()), torch.zeros(())

    def weigh(name: str, p: Distribution, q: Distribution | None) -> Tensor:
        nonlocal log_p, log_q
        value = z[name].unsqueeze(1).expand(-1, rows, *z[name].shape[1:])
        log_p = log_p + log_prob(p, value)
        log_q = log_q + (log_p if q is None else log_prob(q, value))
        return value

    model.infer(weigh, shown)
    several = torch.cat([log_q, log_p[:, :1]], dim=1)
    return z, log_p[:, 0] - (several.logsumexp(dim=1) - math.log(rows + 1))


def _of_cell(law: Distribution, cell: int) -> tuple[Distribution, int]:
    """The law of cells of one family that has a cell, and its place there."""
    if isinstance(law, Product):
        for part in law.parts:
            places = part.places.tolist()
            if cell in places:
                return part.law, places.index(cell)
    return getattr(law, "base_dist", law), cell


def _cumulative(law: Distribution, cell: int, value: float) -> Tensor:
    """P(x_cell <= value), `(N,)`; raises `NotImplementedError` for a family that knows none."""
    own, place = _of_cell(law, cell)
    if not math.isfinite(value):
        return torch.full(own.batch_shape[:1], float(value > 0), dtype=torch.float64)
    at = torch.full(own.batch_shape, value, dtype=torch.float64)
    return own.cdf(at).double().reshape(len(at), -1)[:, place]


def _log_mass(law: Distribution, conditions: Sequence[Condition], x: Tensor) -> Tensor:
    """log of the mass, or density, that p(x|z) gives to all conditions, `(N,)`, nats."""
    total = torch.zeros((), dtype=torch.float64)
    for one in conditions:
        if one.values:
            total = total + _log_values(law, one, x).logsumexp(dim=0)
            continue
        try:
            mass = _cumulative(law, one.cell, one.high) - _cumulative(law, one.cell, one.low)
        except NotImplementedError:
            drawn = law.sample(torch.Size([DRAWS])).flatten(start_dim=2)[..., one.cell]
            mass = ((drawn >= one.low) & (drawn <= one.high)).double().mean(dim=0)
        total = total + mass.clamp(min=0.0).log()
    return total


def _log_values(law: Distribution, one: Condition, x: Tensor) -> Tensor:
    """log p of each value of a condition, `(values, N)`."""
    only = torch.zeros(x.numel(), dtype=torch.bool, device=x.device)
    only[one.cell] = True
    found = []
    for value in one.values:
        there = x.flatten().clone()
        there[one.cell] = value
        cells = cells_of(law, there.reshape(x.shape), only.reshape(x.shape))
        found.append(cells.double().flatten(start_dim=1)[:, one.cell])
    return torch.stack(found)


def _within(law: Distribution, one: Condition, x: Tensor) -> Tensor:
    """Draw a cell from its law within a condition, `(N,)`."""
    if one.values:
        place = _log_values(law, one, x).softmax(dim=0).T.multinomial(1).flatten()
        return torch.tensor(one.values, dtype=torch.float64, device=x.device)[place]
    own, place = _of_cell(law, one.cell)
    try:
        low, high = (_cumulative(law, one.cell, end) for end in (one.low, one.high))
        share = low + (high - low) * torch.rand(len(low), dtype=torch.float64, device=low.device)
        at = torch.full(own.batch_shape, 0.5, dtype=torch.float64, device=low.device)
        at.reshape(len(low), -1)[:, place] = share
        value = own.icdf(at).reshape(len(low), -1)[:, place]
        return value.clamp(one.low, one.high)
    except NotImplementedError:
        drawn = law.sample(torch.Size([DRAWS])).double().flatten(start_dim=2)[..., one.cell]
        inside = (drawn >= one.low) & (drawn <= one.high)
        first = inside.double().argmax(dim=0, keepdim=True)
        return drawn.gather(0, first).squeeze(0).clamp(one.low, one.high)
