"""Traces made by hand: of known densities, with other rows, or with draws in other places."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import torch
from torch import Tensor
from torch.distributions import Normal

from lowerbound.core import Latent, Trace

#: From a tensor to one with other rows or draws.
Change = Callable[[Tensor], Tensor]


def changed(
    trace: Trace, draws: Change, units: Change | None = None, rows: Change | None = None
) -> Trace:
    """Return a trace whose densities are known, each changed in one way.

    `draws` is applied to values and densities, `(K, B, ...)`; `units` to closed forms of the rate,
    `(1 or K, B, units)`, `draws` if None; `rows` to penalties, `(B,)`.
    """
    latents: dict[str, Latent] = {}
    for name, one in trace.latents.items():
        kl = None if one.kl is None else (units or draws)(one.kl)
        known = draws(one.z), draws(one.log_p), draws(one.log_q)
        latents[name] = Latent.known(*known, one.p, one.q, kl)
    penalties = {n: p if rows is None else rows(p) for n, p in trace.penalties.items()}
    return replace(trace, log_px=draws(trace.log_px), latents=latents, penalties=penalties)


def selected(trace: Trace, rows: Tensor) -> Trace:
    """Return the trace of the examples with these indices."""
    return changed(trace, lambda part: part[:, rows], rows=lambda part: part[rows])


def with_rates(trace: Trace, rates: Mapping[str, Tensor]) -> Trace:
    """Return a trace with groups of these closed-form rates, `(1 or K, B, units)` each.

    The densities of the first group are those of all groups of the trace; others have none.
    """
    first = next(iter(trace.latents.values()))
    zero = torch.zeros_like(trace.log_px)
    latents: dict[str, Latent] = {}
    for name, kl in rates.items():
        log_p, log_q = (zero, zero) if latents else (trace.log_pz, trace.log_qz)
        latents[name] = Latent.known(first.z, log_p, log_q, first.p, first.q, kl)
    return replace(trace, latents=latents)


def made(log_px: Tensor, log_pz: Tensor, log_qz: Tensor, kl: Tensor | None = None) -> Trace:
    """Make the trace of one group, "z", of one standard normal unit.

    The densities are `(K, B)`, the closed form of the rate, if any, `(1 or K, B, units)`, in nats.
    """
    z = torch.zeros(*log_px.shape, 1, dtype=torch.float64)
    unit = Normal(z[0], 1.0, validate_args=False)
    return Trace(log_px, {"z": Latent.known(z, log_pz, log_qz, unit, unit, kl)})
