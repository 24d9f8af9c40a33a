"""A VAE that learns classes from a few labels and all examples."""

from typing import Any

from lowerbound.catalogue.flat import flat
from lowerbound.catalogue.guided import guided
from lowerbound.catalogue.policy import network_for
from lowerbound.catalogue.recipe import recipe
from lowerbound.catalogue.slots import SLOTS, Choice
from lowerbound.core import Model
from lowerbound.data import Schema
from lowerbound.errors import SettingError
from lowerbound.models import SemiSupervised as Labelled
from lowerbound.networks import Pair
from lowerbound.objectives import Objective, SemiSupervised
from lowerbound.posteriors import CategoricalPosterior
from lowerbound.priors import Categorical


@recipe(
    "semi-supervised",
    title="VAE with classes, some of them known (M2)",
    year=2014,
    source="Kingma, Rezende, Mohamed & Welling, arXiv 1406.5298",
    formula=SemiSupervised.formula,
    use="Few labels, many examples: a classifier q(y|x), and examples of a class to draw.",
    avoid="Where all is labelled: --condition class with recipe vae is less work.",
    differs="The classifier's term is a mean over the labels of a batch; p(y) is learned.",
    training={"untold": 0.0},
)
def semi_supervised(
    schema: Schema, *, weight: float = 1.0, beta_warm_up: float = 0.0, **parts: Any
) -> tuple[Model, Objective]:
    """Assemble a VAE with a latent class.

    Args:
        schema: That of the data, told one condition: the class, with gaps or without.
        weight: Of the classifier's log q(y|x), whose mean over the labels of a batch is added.
        beta_warm_up: Fraction of the training over which the weight of the rate rises to 1.
        **parts: Of the model: see `flat`.

    Raises:
        SettingError: The data has no classes, or p(z) does not go with a sum over them.
    """
    if len(schema.told) != 1 or not schema.told[0].levels:
        raise SettingError(
            "recipe semi-supervised needs classes, of which some may be unknown; give --condition "
            "class for folders, or --condition COLUMN for a table"
        )
    top = Choice.of(parts.get("prior", "standard-normal")).name
    vae = flat(schema, **parts)
    if top in ("exemplar", "given") or vae.prior.values in ("classes", "bits", "codes"):
        raise SettingError(
            f"recipe semi-supervised sums over classes, beside a p(z) of numbers that is the same "
            f"for all examples: prior '{top}' is none; use prior=mixture"
        )
    chosen = Choice.of(parts.get("network", "auto"))
    name = network_for(schema) if chosen.name == "auto" else chosen.name
    pair: Pair = SLOTS["network"].builders[name](**chosen.settings)
    classes = schema.told[0].levels
    network = pair.encoder(
        vae.view.shape(schema.shape), CategoricalPosterior.parameters_shape(classes)
    )
    model = Labelled(vae, Categorical(classes), CategoricalPosterior(network))
    return model, guided(SemiSupervised(weight), beta_warm_up)
