"""Closed forms of KL(q || p), unit by unit where the units are independent."""

import torch
from torch import Tensor
from torch.distributions import Dirichlet, Distribution, MultivariateNormal, Normal, kl_divergence

from lowerbound.distributions.codes import kl_of_codes
from lowerbound.distributions.independent import Independent, accumulate
from lowerbound.distributions.normal import CellNormal, SharedScaleNormal, UnitNormal, kl_to_unit
from lowerbound.distributions.sphere import kl_on_sphere

#: Gaussian cells whose divergence from unit cells is `kl_to_unit`; a subclass may have its own.
_GAUSSIAN = (Normal, CellNormal, SharedScaleNormal, UnitNormal)


def analytic_kl(q: Distribution, p: Distribution) -> Tensor | None:
    """Return KL(q || p) = E_q[log q - log p] in closed form.

    Args:
        q: Batch `(B,)`, event `(D,)`.
        p: Batch `()`, `(B,)` or `(K, B)`, event `(D,)`; q may have `(K, B)`, too.

    Returns:
        `(*batch, D)` when both have independent units, `(*batch, 1)` when q correlates them, with
        the batch that the two broadcast to; nats, float64; None where no closed form is known.

    Source: Kingma & Welling (2014), appendix B, arXiv 1312.6114, for two diagonal Gaussians.
    """
    codes = kl_of_codes(q, p)  # torch's own, of bits, fails where a batch meets none
    if codes is not None:
        return codes
    base = p.base_dist if isinstance(p, Independent) else None
    if isinstance(q, Independent) and base is not None:
        units = _of_units(q.base_dist, base)
        if units is not None:
            return accumulate(units, 0).flatten(start_dim=units.ndim - len(q.event_shape))
    if isinstance(q, MultivariateNormal) and isinstance(base, Normal):
        return _full_against_diagonal(q, base).unsqueeze(-1)
    if isinstance(q, Dirichlet) and isinstance(p, Dirichlet):
        wide = Dirichlet(accumulate(q.concentration, 0), validate_args=False)
        return kl_divergence(wide, p).unsqueeze(-1)
    if isinstance(p, MultivariateNormal):
        if isinstance(q, MultivariateNormal):
            return _against_full(q.loc, q._unbroadcasted_scale_tril, p).unsqueeze(-1)
        if isinstance(q, Independent) and isinstance(q.base_dist, Normal):
            factor = torch.diag_embed(q.base_dist.scale)
            return _against_full(q.base_dist.loc, factor, p).unsqueeze(-1)
    return kl_on_sphere(q, p)


def _of_units(q: Distribution, p: Distribution) -> Tensor | None:
    if type(q) in _GAUSSIAN and type(p) is UnitNormal:
        # what the search below would find; that, however, cannot be compiled
        return kl_to_unit(q, p)  # type: ignore[arg-type]
    try:
        return kl_divergence(q, p)
    except NotImplementedError:
        return None


def _full_against_diagonal(q: MultivariateNormal, p: Normal) -> Tensor:
    """Return (|L/s|^2 + |(m-u)/s|^2 - D) / 2 - sum log(L_dd / s_d), q of L L^T, p of diag s^2."""
    factor = q._unbroadcasted_scale_tril.double() / p.scale.double().unsqueeze(-1)
    shift = (q.loc.double() - p.loc.double()) / p.scale.double()
    spread = factor.square().sum(dim=(-2, -1)) + shift.square().sum(dim=-1)
    log_volume = torch.diagonal(factor, dim1=-2, dim2=-1).log().sum(dim=-1)
    return 0.5 * (spread - shift.shape[-1]) - log_volume


def _against_full(mean: Tensor, factor: Tensor, p: MultivariateNormal) -> Tensor:
    """KL(N(m, F F^T) || N(u, L L^T)), as above with L^-1 F and L^-1 (m - u)."""
    lower = p._unbroadcasted_scale_tril.double()
    solved = torch.linalg.solve_triangular(lower, factor.double(), upper=False)
    apart = (mean.double() - p.loc.double()).unsqueeze(-1)
    shift = torch.linalg.solve_triangular(lower, apart, upper=False).squeeze(-1)
    spread = solved.square().sum(dim=(-2, -1)) + shift.square().sum(dim=-1)
    log_volume = torch.diagonal(solved, dim1=-2, dim2=-1).log().sum(dim=-1)
    return 0.5 * (spread - shift.shape[-1]) - log_volume
