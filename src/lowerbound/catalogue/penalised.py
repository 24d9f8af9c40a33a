"""VAEs whose training is guided by the mean of q(z|x) over a batch, and one by a rate in nats."""

from typing import Any

from lowerbound.catalogue.flat import flat
from lowerbound.catalogue.recipe import recipe
from lowerbound.core import Model
from lowerbound.data import Schema
from lowerbound.models import Constrained
from lowerbound.objectives import (
    ELBO,
    GECO,
    Capacity,
    Discrepancy,
    Disentangled,
    Objective,
    TotalCorrelation,
)

_AVOID = "To maximise the likelihood: something else is maximised, and it bounds nothing."


@recipe(
    "beta-tc",
    title="Beta-TC-VAE",
    year=2018,
    source="Chen et al., arXiv 1802.04942",
    formula="ELBO - (beta - 1) KL(q(z) || prod_d q(z_d))",
    use="Latents that vary independently over the data, at less loss of detail than beta-vae.",
    avoid=_AVOID,
    differs="q(z) is the mean of q(z|x) over the batch; held-out data judge by the ELBO.",
)
def beta_tc(schema: Schema, *, beta: float = 6.0, **parts: Any) -> tuple[Model, Objective]:
    """Assemble a VAE whose units are pushed apart.

    Args:
        schema: That of the data.
        beta: Weight of the total correlation.
        **parts: Of the model: see `flat`.
    """
    return flat(schema, **parts), TotalCorrelation(ELBO(), beta - 1)


@recipe(
    "dip",
    title="DIP-VAE",
    year=2018,
    source="Kumar, Sattigeri & Balakrishnan, arXiv 1711.00848",
    formula="ELBO - |Cov(z) - I|^2, weighted",
    use="Latents without correlation and of variance 1 over the data.",
    avoid=_AVOID,
    differs="Held-out data judge by the ELBO.",
)
def dip(
    schema: Schema,
    *,
    off_diagonal: float = 10.0,
    diagonal: float = 10.0,
    whole: bool = True,
    **parts: Any,
) -> tuple[Model, Objective]:
    """Assemble a VAE whose aggregate covariance is pulled to the identity.

    Args:
        schema: That of the data.
        off_diagonal: Weight of the squared covariances of two units.
        diagonal: Weight of the squared distances of variances from 1.
        whole: Of z itself (DIP-II), or of the means of q(z|x) (DIP-I).
        **parts: Of the model: see `flat`.
    """
    return flat(schema, **parts), Disentangled(ELBO(), off_diagonal, diagonal, whole)


@recipe(
    "mmd",
    title="InfoVAE and Wasserstein autoencoder",
    year=2018,
    source="Zhao, Song & Ermon, arXiv 1706.02262; Tolstikhin et al., arXiv 1711.01558",
    formula="E_q[log p(x|z)] - rate KL - weight MMD(q(z), p(z))^2",
    use="Codes that carry much of x while their mean over the data follows the prior.",
    avoid=_AVOID,
    differs="The kernels' scales follow the prior's spread; held-out data judge by the ELBO.",
)
def mmd(
    schema: Schema, *, weight: float = 100.0, rate: float = 0.0, **parts: Any
) -> tuple[Model, Objective]:
    """Assemble a VAE whose aggregate posterior is matched to the prior.

    Args:
        schema: That of the data.
        weight: Of the squared discrepancy.
        rate: Weight of the rate that is left; 0 for a Wasserstein autoencoder.
        **parts: Of the model: see `flat`.
    """
    return flat(schema, **parts), Discrepancy(ELBO(), weight, rate)


@recipe(
    "capacity",
    title="VAE of a set capacity",
    year=2018,
    source="Burgess et al., arXiv 1804.03599",
    formula="E_q[log p(x|z)] - weight |mean rate - nats|",
    use="Codes of a rate that is chosen: so many nats of information on x.",
    avoid=_AVOID,
    differs="Nats, whatever the likelihood; held-out data judge by the ELBO.",
)
def capacity(
    schema: Schema, *, nats: float = 25.0, weight: float = 100.0, over: float = 0.5, **parts: Any
) -> tuple[Model, Objective]:
    """Assemble a VAE whose rate is held at a number of nats.

    Args:
        schema: That of the data.
        nats: The mean rate in the end.
        weight: Of its distance from that.
        over: Fraction of the training over which it rises from 0.
        **parts: Of the model: see `flat`.
    """
    return flat(schema, **parts), Capacity(ELBO(), nats, weight, over)


@recipe(
    "geco",
    title="VAE of a set distortion (GECO)",
    year=2018,
    source="Rezende & Viola, arXiv 1810.00597",
    formula="-rate - l (distortion - tolerance)",
    use="Codes of the least rate at which reconstructions are as good as asked for.",
    avoid=_AVOID,
    differs="The constraint is the distortion in nats; the multiplier follows the optimiser.",
    training={"keep": "last", "patience": None},
)
def geco(schema: Schema, *, tolerance: float = 100.0, **parts: Any) -> tuple[Model, Objective]:
    """Assemble a VAE whose distortion is held at a number of nats.

    Args:
        schema: That of the data.
        tolerance: The mean distortion in the end, nats an example.
        **parts: Of the model: see `flat`.
    """
    return Constrained(flat(schema, **parts)), GECO(tolerance)
