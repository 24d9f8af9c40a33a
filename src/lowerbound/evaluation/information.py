"""The information on x in z, and how far all encodings together are from the prior."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.distributions import Distribution

from lowerbound.core import Latent, Model, Trace, on
from lowerbound.data import Batch, Source
from lowerbound.distributions import endless, log_prob
from lowerbound.errors import DataError, SettingError
from lowerbound.evaluation.estimate import Estimate
from lowerbound.evaluation.evidence import chunk_sizes
from lowerbound.seeding import seeded

#: Most examples whose encodings are mixed: the work grows with their square.
MOST_EXAMPLES = 2000
#: The limit where q of lower groups depends on the draw and is computed for every pair.
MOST_PAIRED = 500
#: Numbers of the pairwise comparison that are held at a time.
NUMBERS_AT_ONCE = 4_000_000


@dataclass(frozen=True)
class Between:
    """A quantity between two estimates whose errors lie on either side, in expectation.

    Attributes:
        lower: At most the quantity, in expectation.
        upper: At least the quantity, in expectation.
    """

    lower: Estimate
    upper: Estimate


@dataclass(frozen=True)
class Shared:
    """The rate of a group of latents together with all groups above it, taken apart.

    Attributes:
        rate: E KL(q(z_l|x, groups above) || p(z_l | groups above)) of this group alone.
        mutual_information: I(x; z_1 ... z_l) of this group and those above.
        mismatch: KL(q(z_1 ... z_l) || p(z_1 ... z_l)) of this group and those above.
    """

    rate: Estimate
    mutual_information: Between
    mismatch: Between


@dataclass(frozen=True)
class Information:
    """The rate taken apart: KL(q(z|x) || p(z)) = I(x; z) + KL(q(z) || p(z)) on average.

    q(z) is the aggregated posterior, the mean of q(z|x) over the data. The price of I(x; z) is
    spent on telling examples apart; what KL(q(z) || p(z)) costs is lost, and draws from the prior
    do not look like encodings.

    Attributes:
        mutual_information: I(x; z). The lower estimate cannot exceed log of `examples`, the upper
            one not the rate.
        mismatch: KL(q(z) || p(z)), at least 0.
        examples: How many encodings were mixed.
        groups: The parts for each group of latents and those above it, top first; empty where there
            is one group.
    """

    mutual_information: Between
    mismatch: Between
    examples: int
    groups: Mapping[str, Shared] = field(default_factory=dict)


@torch.no_grad()
def information(
    model: Model, examples: Source, *, most: int | None = None, seed: int | None = 0
) -> Information:
    """Bracket I(x; z) and KL(q(z) || p(z)) by minibatch estimates of the aggregated posterior.

    For one z_n ~ q(z|x_n) of each example, log q(z_n) is estimated by the log-mean of q(z_n|x_m)
    over all m, which is too large on average and gives the lower I, and over all m but n, which
    is too small and gives the upper I. With several groups z_n is all of them, and what the groups
    from the top down to each one tell is bracketed, too.

    Args:
        examples: `N` examples, at least 2; the first `most` are taken.
        most: At least 2; None for 2,000, or 500 where q of lower groups must be computed anew for
            every pair.

    Returns:
        Both quantities in nats.

    Raises:
        DataError: There are fewer than 2 examples.
        SettingError: The model infers its groups in another order than that of p.

    Source: Hoffman & Johnson (2016), equation 6; the two sides: Poole et al. (2019), equations 12
        and 13, arXiv 1905.06922.
    """
    names = list(model.latents)
    count = min(len(examples), most or (MOST_EXAMPLES if len(names) == 1 else MOST_PAIRED))
    if count < 2:
        raise DataError("two examples at least are needed to mix their encodings")
    rows, _ = chunk_sizes(model, examples, 1)
    with on(model) as device, seeded(seed, device, stream="information"):
        batches = [
            examples.batch(slice(start, min(start + rows, count))).to(device)
            for start in range(0, count, rows)
        ]
        traces = [model.trace(batch, 1) for batch in batches]
        if not all(trace.ordered for trace in traces):
            raise SettingError("a model that infers its groups bottom-up has no q(z) by groups")
        z = {name: torch.cat([t.latents[name].z[0] for t in traces]) for name in names}
        own, prior = (
            [torch.cat([_log(t.latents[n], side)[0] for t in traces]).cpu() for n in names]
            for side in ("q", "p")
        )
        columns = [_pairs(model, b, t, z) for b, t in zip(batches, traces, strict=True)]
    every = [torch.cat(parts, dim=1) for parts in zip(*columns, strict=True)]
    found: dict[str, Shared] = {}
    for place, name in enumerate(names, start=1):
        parts = (own[:place], prior[:place], every[:place])
        told, apart = _between(*(torch.stack(part).sum(dim=0) for part in parts))
        found[name] = Shared(Estimate.of(own[place - 1] - prior[place - 1]), told, apart)
    whole = found[names[-1]]
    groups = found if len(names) > 1 else {}
    return Information(whole.mutual_information, whole.mismatch, count, groups)


def _log(latent: Latent, side: str) -> Tensor:
    """Return log q or log p of a draw; of series that have ended, that of all steps.

    In a draw's own two laws the steps after the end are alike; another series may have them.
    """
    law = getattr(latent, side)
    whole = endless(law)
    return getattr(latent, f"log_{side}") if whole is law else log_prob(whole, latent.z)


def _between(own: Tensor, prior: Tensor, every: Tensor) -> tuple[Between, Between]:
    """Bracket I(x; z) and KL(q(z) || p(z)).

    From log q(z_n|x_n) and log p(z_n), `(N,)`, and log q(z_n|x_m), `(N, N)`, whose rows are draws.
    """
    count = len(own)
    others = every.clone()
    others.fill_diagonal_(-math.inf)
    mixed = every.logsumexp(dim=1) - math.log(count)
    without = others.logsumexp(dim=1) - math.log(count - 1)
    told, apart = Estimate.of(own - without), Estimate.of(without - prior)
    if apart.mean < 0:  # a divergence is not: the whole rate may be information
        told, apart = Estimate.of(own - prior), Estimate(0.0, None)
    return Between(Estimate.of(own - mixed), told), Between(apart, Estimate.of(mixed - prior))


def _pairs(model: Model, batch: Batch, trace: Trace, z: dict[str, Tensor]) -> list[Tensor]:
    """Weigh every draw under q of every example of a batch, by group, `(N, M)` each, nats."""
    (top, first), *below = trace.latents.items()
    columns = len(batch) * sum(part[0].numel() for part in z.values())
    rows = max(1, NUMBERS_AT_ONCE // columns)
    found: dict[str, list[Tensor]] = {name: [] for name in trace.latents}
    for start in range(0, len(z[top]), rows):
        some = {name: part[start : start + rows].unsqueeze(1) for name, part in z.items()}
        if not below:  # q of the top group is the same for every draw
            found[top].append(log_prob(endless(first.q), some[top]).cpu())
            continue

        def weigh(name: str, p: Distribution, q: Distribution | None, some=some) -> Tensor:  # type: ignore[no-untyped-def]
            if q is None:
                raise SettingError(f"group '{name}' has no q to mix")
            values = some[name].expand(-1, len(batch), *some[name].shape[2:])
            found[name].append(log_prob(q, values).cpu())
            return values

        model.infer(weigh, batch)
    return [torch.cat(parts) for parts in found.values()]
