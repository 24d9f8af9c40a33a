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

    Args:
        trace: Of `K` draws of `B` examples.
        draws: Applied to what is `(K, B, ...)`: values and densities.
        units: Applied to closed forms of the rate, `(1 or K, B, units)`; `draws` if None.
        rows: Applied to what is `(B,)`, the penalties; as they are if None.
    """
    of_units = draws if units is None else units
    latents = {
        name: Latent.known(
            draws(one.z),
            draws(one.log_p),
            draws(one.log_q),
            one.p,
            one.q,
            None if one.kl is None else of_units(one.kl),
        )
        for name, one in trace.latents.items()
    }
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
    latents = {
        name: Latent.known(
            first.z,
            zero if place else trace.log_pz,
            zero if place else trace.log_qz,
            first.p,
            first.q,
            kl,
        )
        for place, (name, kl) in enumerate(rates.items())
    }
    return replace(trace, latents=latents)


def made(log_px: Tensor, log_pz: Tensor, log_qz: Tensor, kl: Tensor | None = None) -> Trace:
    """Make the trace of one group, "z", of one standard normal unit.

    Args:
        log_px: `(K, B)`, nats; so are the next two.
        log_pz: Of z.
        log_qz: Of z.
        kl: The rate in closed form, `(1 or K, B, units)`; None if it has none.
    """
    z = torch.zeros(*log_px.shape, 1, dtype=torch.float64)
    unit = Normal(z[0], 1.0, validate_args=False)
    return Trace(log_px, {"z": Latent.known(z, log_pz, log_qz, unit, unit, kl)})
