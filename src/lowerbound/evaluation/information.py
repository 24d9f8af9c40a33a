"""What z tells of x, and how far the encodings of all data together are from the prior."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from lowerbound.core.trace import Trace
from lowerbound.data import Source
from lowerbound.distributions import log_prob
from lowerbound.errors import DataError
from lowerbound.evaluation.estimate import Estimate
from lowerbound.evaluation.evidence import chunk_sizes
from lowerbound.seeding import seeded

#: Most examples whose encodings are mixed: the work grows with their square.
MOST_EXAMPLES = 2000
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
class Information:
    """The rate taken apart: KL(q(z|x) || p(z)) = I(x; z) + KL(q(z) || p(z)) on average.

    q(z) is the aggregated posterior, the mean of q(z|x) over the data. What I(x; z) costs is
    spent on telling examples apart; what KL(q(z) || p(z)) costs is lost, and draws from the prior
    do not look like encodings.

    Attributes:
        mutual_information: I(x; z). The lower estimate cannot exceed log of `examples`, the upper
            one not the rate.
        mismatch: KL(q(z) || p(z)), at least 0.
        examples: How many encodings were mixed.
    """

    mutual_information: Between
    mismatch: Between
    examples: int


@torch.no_grad()
def information(
    model: nn.Module, examples: Source, *, most: int = MOST_EXAMPLES, seed: int | None = 0
) -> Information:
    """Bracket I(x; z) and KL(q(z) || p(z)) by minibatch estimates of the aggregated posterior.

    For one z_n ~ q(z|x_n) of each example, log q(z_n) is estimated by the log-mean of q(z_n|x_m)
    over all m, which is too large on average and gives the lower I, and over all m but n, which
    is too small and gives the upper I.

    Args:
        model: Anything with a `trace` of one group of latents.
        examples: `N` examples, at least 2; the first `most` are taken.
        most: At least 2.
        seed: Of the draws; None for a fresh one.

    Returns:
        Both quantities in nats.

    Raises:
        DataError: There are fewer than 2 examples.

    Source: Hoffman & Johnson (2016), equation 6; the two sides: Poole et al. (2019), equations 12
        and 13, arXiv 1905.06922.
    """
    count = min(len(examples), most)
    if count < 2:
        raise DataError("two examples at least are needed to mix their encodings")
    device = next((p.device for p in model.parameters()), torch.device("cpu"))
    was_training = model.training
    model.eval()
    rows, _ = chunk_sizes(model, examples, 1)
    traces: list[Trace] = []
    try:
        with seeded(seed, device, stream="information"):
            for start in range(0, count, rows):
                batch = examples.batch(slice(start, min(start + rows, count))).to(device)
                traces.append(model.trace(batch, 1))  # type: ignore[operator]
    finally:
        model.train(was_training)
    own, prior = (torch.cat([getattr(t, n)[0] for t in traces]) for n in ("log_qz", "log_pz"))
    z = torch.cat([trace.z[0] for trace in traces])
    every = torch.cat([_pairs(trace.posterior, z) for trace in traces], dim=1).cpu()
    own, prior = own.cpu(), prior.cpu()
    others = every.clone()
    others.fill_diagonal_(-math.inf)
    mixed = every.logsumexp(dim=1) - math.log(count)
    without = others.logsumexp(dim=1) - math.log(count - 1)
    told, apart = Estimate.of(own - without), Estimate.of(without - prior)
    if apart.mean < 0:  # a divergence is not: the whole rate may be information
        told, apart = Estimate.of(own - prior), Estimate(0.0, None)
    return Information(
        Between(Estimate.of(own - mixed), told), Between(apart, Estimate.of(mixed - prior)), count
    )


def _pairs(posterior: torch.distributions.Distribution, z: Tensor) -> Tensor:
    """log q(z_n|x_m), `(N, M)`, nats: rows are draws, columns the examples of a posterior."""
    columns = posterior.batch_shape[0] * z[0].numel()
    rows = max(1, NUMBERS_AT_ONCE // columns)
    return torch.cat([log_prob(posterior, part.unsqueeze(1)) for part in z.split(rows)])
