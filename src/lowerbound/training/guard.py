"""Finding the term that stopped being a number."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from lowerbound.trace import Trace


def name_non_finite(trace: Trace, model: nn.Module) -> str:
    """Names the first term of a bound, or else the parameter's gradient, that is not finite."""
    terms: list[tuple[str, Tensor]] = [
        ("the latent z", trace.z),
        ("log p(x|z)", trace.log_px),
        ("log p(z)", trace.log_pz),
        ("log q(z|x)", trace.log_qz),
        *((f"KL of group '{name}'", kl) for name, kl in trace.kl.items()),
        *((f"penalty '{name}'", penalty) for name, penalty in trace.penalties.items()),
        *((f"the gradient of {name}", gradient) for name, gradient in _gradients(model)),
    ]
    for name, term in terms:
        if not bool(torch.isfinite(term).all()):
            return name
    return "the norm of the gradient"


def _gradients(model: nn.Module) -> Iterable[tuple[str, Tensor]]:
    for name, parameter in model.named_parameters():
        if parameter.grad is not None:
            yield name, parameter.grad
