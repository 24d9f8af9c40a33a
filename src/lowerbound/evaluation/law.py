"""The law p(x|z) of a model, looked at from outside: its kind and its size."""

import torch
from torch.distributions import Distribution

from lowerbound.core import Model, on
from lowerbound.data import Source
from lowerbound.seeding import seeded


@torch.no_grad()
def law_of(model: Model, examples: Source) -> Distribution:
    """Return p(x|z) at one z ~ p(z), under the condition of the first example."""
    condition = examples.batch(slice(0, 1)).condition
    with on(model) as device, seeded(0, device):
        return model.sample(1, condition=None if condition is None else condition.to(device)).law


def counts(law: Distribution) -> bool | None:
    """Tell whether log p(x|z) is a log-probability, no density; None if the law has no support."""
    try:
        support = law.support
    except NotImplementedError:
        return None
    return None if support is None else bool(support.is_discrete)
