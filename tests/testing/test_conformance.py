"""Every part and every recipe climbs the ladder, and none escapes it."""

import pytest
import torch

from lowerbound import likelihoods, networks, objectives, posteriors, priors
from lowerbound.catalogue import SLOTS, assemble, recipes
from lowerbound.data import KINDS
from lowerbound.likelihoods import Cells
from lowerbound.testing import (
    LIKELIHOODS,
    NETWORKS,
    OBJECTIVES,
    POSTERIORS,
    PRIORS,
    RECIPES,
    SCHEMAS,
    check_likelihood,
    check_model,
    check_objective,
    check_pair,
    check_posterior,
    check_prior,
    example_batch,
    latent_batch,
    likelihood_of,
    posterior_of,
    prior_of,
)
from lowerbound.testing.table import GUIDES


def test_the_table_lists_everything_that_the_packages_export():
    assert set(PRIORS) == set(priors.__all__) - {"Site"}
    assert set(POSTERIORS) == set(posteriors.__all__)
    assert set(LIKELIHOODS) == set(likelihoods.__all__) - {
        # laws of sequences have tests of their own: test_sequence, test_roll, test_autocorrelated;
        # so has one whose cells are not independent: test_multinomial
        "Cells", "Site", "outputs_of", "Autoregressive", "RollLikelihood", "AutocorrelatedGaussian",
        "Multinomial",
    }  # fmt: skip
    assert set(OBJECTIVES) | set(GUIDES) == set(objectives.__all__) - {"Objective"}
    # of sequences, and of data with classes: tests of their own
    others = {"text-vae", "music-vae", "series-vae", "dmm", "semi-supervised"}
    assert set(RECIPES) == {recipe.name for recipe in recipes()} - others
    of_networks = {
        "MLP", "ResidualEncoder", "ResidualDecoder", "Reader", "Writer", "SeriesEncoder",
        "SeriesDecoder", "Sized", "PerStep", "RollWriter", "StepReader", "Transition", "TuneReader",
        "TuneWriter",
    }  # fmt: skip
    assert set(networks.__all__) - {"Init", "Network", "Pair"} == of_networks


def test_the_table_lists_everything_that_a_slot_can_hold():
    built = {name: slot.builders for name, slot in SLOTS.items()}
    site = priors.Site(3, (4,), posterior_of("DiagonalGaussian"))
    assert {type(build(site)).__name__ for build in built["prior"].values()} == set(PRIORS)
    assert {family.__name__ for family in built["posterior"].values()} == set(POSTERIORS)
    cells = likelihoods.Site("ordinal", (2,), 5)
    of_cells = {type(build(cells)).__name__ for build in built["likelihood"].values()}
    assert of_cells - {"Multinomial"} == {
        k for k in LIKELIHOODS if issubclass(getattr(likelihoods, k), Cells)
    }
    assert {name.lower() for name in NETWORKS} == set(built["network"])
    assert set(built) == {"prior", "posterior", "likelihood", "network"}
    assert {kind.law for kind in KINDS.values()} - {"autoregressive"} <= set(built["likelihood"])


@pytest.mark.parametrize("latents", [1, 3])
@pytest.mark.parametrize("name", PRIORS)
def test_every_prior_climbs_the_ladder(name: str, latents: int):
    check_prior(prior_of(name, latents))


@pytest.mark.parametrize("name", NETWORKS)
def test_every_pair_of_networks_climbs_the_ladder(name: str):
    check_pair(NETWORKS[name]())


@pytest.mark.parametrize(("shape", "latents"), [((4,), 3), ((1,), 1), ((1, 2, 3), 2)])
@pytest.mark.parametrize("name", POSTERIORS)
def test_every_posterior_climbs_the_ladder(name: str, shape: tuple[int, ...], latents: int):
    check_posterior(posterior_of(name, shape, latents), torch.randn(4, *shape))


@pytest.mark.parametrize("shape", [(2,), (1,), (1, 2, 2)])
@pytest.mark.parametrize("name", LIKELIHOODS)
def test_every_likelihood_climbs_the_ladder(name: str, shape: tuple[int, ...]):
    check_likelihood(likelihood_of(name, shape), latent_batch().float())


@pytest.mark.parametrize("name", OBJECTIVES)
def test_every_objective_climbs_the_ladder(name: str):
    claim = OBJECTIVES[name]
    check_objective(claim.build(), bound=claim.bound, tight=claim.tight)


@pytest.mark.parametrize("schema", SCHEMAS)
@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_climbs_the_ladder_on_every_kind_of_data(name: str, schema: str):
    made = assemble(name, SCHEMAS[schema], RECIPES[name], seed=0)
    check_model(made.model, example_batch(SCHEMAS[schema]), made.objective)


OPTIONS = [
    ("8-bit 3x5x7", {"network": "residual"}),
    ("8-bit 1x1x1", {"network": "residual", "posterior": "full"}),
    ("binary 3x5x7", {"network": "residual", "likelihood": "categorical"}),
    ("ordinal 5", {"likelihood": "categorical"}),
    ("ordinal 1x1x1", {"likelihood": "categorical"}),
    ("real 5", {"scale": "fixed", "sigma": 0.3, "posterior": "full"}),
    ("real 3x5x7", {"scale": "per-dimension"}),
    ("real-float64 5", {"scale": "shared", "hidden": []}),
    ("real 1", {"latents": 1, "posterior": "full"}),
    ("binary 1", {"latents": 1}),
    ("mixed 6", {"prior": "mixture", "components": 3, "posterior": "full"}),
    ("mixed 6", {"prior": "vamp", "components": 3, "scale": "fixed", "sigma": 0.3}),
    ("8-bit 3x5x7", {"prior": "vamp", "components": 3, "network": "residual"}),
    ("count 3x5x7", {"network": "residual", "prior": "mixture"}),
    ("real 5", {"prior": "flow", "posterior": "flow", "prior.width": 8, "posterior.width": 8}),
    ("binary 5", {"posterior": "flow", "posterior.maps": "autoregressive", "posterior.width": 8}),
    ("binary 5", {"prior": "autoregressive", "prior.width": 8, "posterior": "full"}),
    ("ordinal 5", {"prior": "gaussian", "covariance": "full"}),
    ("real 1", {"prior": "laplace", "posterior": "laplace"}),
    ("binary 5", {"prior": "exemplar", "exemplars": 6}),
    ("binary 5", {"prior": "gamma", "posterior": "gamma"}),
    ("binary 5", {"prior": "codes", "posterior": "fsq", "prior.width": 8}),
    ("ordinal 5", {"prior": "codes", "posterior": "vq", "codes": 4, "size": 3}),
    ("ordinal 5", {"prior": "codes", "posterior": "residual", "codes": 4, "size": 1, "latents": 4}),
    ("ordinal 5", {"prior": "dirichlet", "posterior": "dirichlet"}),
    ("binary 5", {"prior": "sphere", "posterior": "power-spherical"}),
    ("ordinal 5", {"prior": "student", "posterior": "laplace"}),
]


@pytest.mark.parametrize(("schema", "options"), OPTIONS, ids=[f"{s} {o}" for s, o in OPTIONS])
def test_every_choice_of_parts_climbs_the_ladder(schema: str, options: dict):
    small = {k: v for k, v in RECIPES["vae"].items() if k != "hidden" or "network" not in options}
    made = assemble("vae", SCHEMAS[schema], {**small, **options}, seed=0)
    check_model(made.model, example_batch(SCHEMAS[schema]), made.objective)


GRADIENTS = [("vae", "path"), ("iwae", "path"), ("iwae", "dreg")]


@pytest.mark.parametrize(("name", "gradient"), GRADIENTS)
@pytest.mark.parametrize("schema", ["binary 5", "real 1", "ordinal 5"])
def test_every_gradient_of_a_recipe_climbs_the_ladder(name: str, gradient: str, schema: str):
    made = assemble(name, SCHEMAS[schema], {**RECIPES[name], "gradient": gradient}, seed=0)
    assert made.objective.gradient == "path"
    check_model(made.model, example_batch(SCHEMAS[schema]), made.objective)
