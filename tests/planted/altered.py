"""A trace of one group of latents with some of its numbers replaced."""

from dataclasses import replace

from torch import Tensor

from lowerbound.core import Latent, Trace


def altered(
    trace: Trace,
    *,
    z: Tensor | None = None,
    log_px: Tensor | None = None,
    log_pz: Tensor | None = None,
    log_qz: Tensor | None = None,
    kl: Tensor | None = None,
) -> Trace:
    """Return the trace with other values of group "z"; None leaves one as it is."""
    one = trace.latents["z"]
    latent = Latent.known(
        one.z if z is None else z,
        one.log_p if log_pz is None else log_pz,
        one.log_q if log_qz is None else log_qz,
        one.p,
        one.q,
        one.kl if kl is None else kl,
    )
    return replace(trace, log_px=trace.log_px if log_px is None else log_px, latents={"z": latent})
