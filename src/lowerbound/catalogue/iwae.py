"""The VAE trained on the importance-weighted bound."""

from typing import Any, Literal

from lowerbound.catalogue.flat import flat
from lowerbound.catalogue.guided import guided
from lowerbound.catalogue.recipe import recipe
from lowerbound.core import Model
from lowerbound.data import Schema
from lowerbound.errors import SettingError
from lowerbound.objectives import CIWAE, IWAE, MIWAE, PIWAE, DReG, Objective, Renyi


@recipe(
    "iwae",
    title="Importance-weighted autoencoder",
    year=2016,
    source="Burda, Grosse & Salakhutdinov, arXiv 1509.00519; bounds between: Li & Turner, "
    "arXiv 1602.02311; Rainforth et al., arXiv 1802.04537",
    formula=IWAE.formula,
    use="A higher likelihood from the same networks, for `samples` times the work.",
    avoid="When q(z|x) itself is wanted: as `samples` grows, the encoder's gradient drowns in "
    "noise (Rainforth et al., arXiv 1802.04537); gradient=dreg takes the noise away.",
    differs="As vae; under a warm-up the weights are p(x|z) (p(z) / q(z|x))^beta, where the paper "
    "does not anneal.",
)
def iwae(
    schema: Schema,
    *,
    samples: int = 5,
    gradient: Literal["total", "path", "dreg"] = "total",
    bound: Literal["iwae", "miwae", "piwae", "renyi", "ciwae"] = "iwae",
    groups: int = 2,
    alpha: float = 0.5,
    share: float = 0.5,
    beta_warm_up: float = 0.0,
    **parts: Any,
) -> tuple[Model, Objective]:
    """Assemble a VAE that is trained on a tighter bound.

    Args:
        schema: That of the data.
        samples: Draws of z for each example, of which the bound is made.
        gradient: "total"; "path", without the score of q(z|x); or "dreg", doubly reparameterised
            (`DReG`).
        bound: "iwae"; "miwae", the mean of the bounds of `groups` of draws; "piwae", that mean for
            the encoder alone; "renyi", between "iwae" and the ELBO by `alpha`; or "ciwae", their
            mean.
        groups: Of "miwae" and "piwae"; they divide `samples`.
        alpha: Of "renyi": 0 is the importance-weighted bound, 1 the ELBO.
        share: Of the ELBO in "ciwae".
        beta_warm_up: Fraction of the training over which the weight of the rate rises to 1.
        **parts: Of the model: see `flat`.
    """
    if bound != "iwae" and gradient != "total":
        raise SettingError(f"bound '{bound}' has the total gradient; leave gradient out")
    objective: Objective = DReG(samples) if gradient == "dreg" else IWAE(samples, gradient)
    if bound in ("miwae", "piwae"):
        objective = (MIWAE if bound == "miwae" else PIWAE)(samples, groups)
    elif bound != "iwae":
        objective = Renyi(samples, alpha) if bound == "renyi" else CIWAE(samples, share)
    return flat(schema, **parts), guided(objective, beta_warm_up)
