"""The VAE trained on the importance-weighted bound."""

from typing import Any, Literal

from lowerbound.catalogue.flat import flat
from lowerbound.catalogue.guided import guided
from lowerbound.catalogue.recipe import recipe
from lowerbound.core import Model
from lowerbound.data import Schema
from lowerbound.errors import SettingError
from lowerbound.objectives import IWAE, MIWAE, PIWAE, DReG, Objective


@recipe(
    "iwae",
    title="Importance-weighted autoencoder",
    year=2016,
    source="Burda, Grosse & Salakhutdinov, arXiv 1509.00519",
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
    gradient: Literal["total", "path", "dreg", "partial"] = "total",
    groups: int = 1,
    beta_warm_up: float = 0.0,
    **parts: Any,
) -> tuple[Model, Objective]:
    """Assemble a VAE that is trained on a tighter bound.

    Args:
        schema: That of the data.
        samples: Draws of z for each example, of which the bound is made.
        gradient: "total"; "path", without the score of q(z|x); or "dreg", doubly reparameterised
            (`DReG`); or "partial": the encoder's is that of the mean over `groups` (`PIWAE`).
        groups: Bounds that the draws are shared out among, whose mean is made (`MIWAE`).
        beta_warm_up: Fraction of the training over which the weight of the rate rises to 1.
        **parts: Of the model: see `flat`.
    """
    if groups > 1 and gradient in ("path", "dreg"):
        raise SettingError(f"groups is for gradient total or partial, got gradient={gradient}")
    objective: Objective = IWAE(samples, "path" if gradient == "path" else "total")
    if gradient == "dreg":
        objective = DReG(samples)
    elif groups > 1:
        objective = (PIWAE if gradient == "partial" else MIWAE)(samples, groups)
    return flat(schema, **parts), guided(objective, beta_warm_up)
