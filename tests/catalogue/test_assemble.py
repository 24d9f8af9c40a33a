"""Assembling a model for data: what is chosen, what is refused, and what it costs."""

import json

import pytest
import torch
from torch import nn

from lowerbound import likelihoods, networks, objectives, posteriors
from lowerbound.catalogue import Choice, assemble, build, recipes
from lowerbound.catalogue.flat import flat
from lowerbound.catalogue.laws import COLOURS, check_law, fitting, law_for
from lowerbound.catalogue.policy import ENOUGH, MOST_OF_IMAGES, MOVED, latents_for
from lowerbound.data import KINDS, Batch, Field, Schema
from lowerbound.errors import SettingError
from lowerbound.likelihoods.bernoulli import LEAST
from lowerbound.objectives import ELBO, IWAE, Annealed, BetaELBO, FreeBits
from lowerbound.testing import SCHEMAS
from lowerbound.training.schedules import Cycles

CHOSEN = {
    "binary 5": (likelihoods.Bernoulli, networks.MLP),
    "8-bit 1x28x28": (likelihoods.DiscretizedLogistic, networks.MLP),
    "ordinal 5": (likelihoods.DiscretizedLogistic, networks.MLP),
    "real 5": (likelihoods.Gaussian, networks.MLP),
    "binary 3x5x7": (likelihoods.Bernoulli, networks.MLP),
    "count 5": (likelihoods.NegativeBinomial, networks.MLP),
}


def cells_of(model):
    """The law of all cells of a model, where there is one."""
    (cells,) = model.likelihood.parts
    return cells


def seen_by(model, values, kind=torch.uint8):
    return model.view(Batch(torch.tensor([values], dtype=kind)))[0].tolist()


@pytest.mark.parametrize("schema", CHOSEN)
def test_the_likelihood_follows_from_the_kind_of_data(schema):
    model, _ = build("auto", SCHEMAS[schema])
    law, network = CHOSEN[schema]
    assert type(cells_of(model)) is law
    assert isinstance(model.likelihood.network, network)
    if SCHEMAS[schema].levels and law is likelihoods.DiscretizedLogistic:
        assert cells_of(model).levels == SCHEMAS[schema].levels


def test_large_images_get_a_residual_pair():
    schema = Schema((Field("image", "ordinal", (3, 40, 40), 256),), (3, 40, 40))
    model, _ = build("auto", schema, channels=4)
    assert isinstance(model.likelihood.network, networks.ResidualDecoder)
    assert "residual" in " ".join(assemble("auto", schema, {"channels": 4}).words)


def image_of(channels, side, levels=256, **more):
    shape = (channels, side, side)
    return Schema((Field("image", "ordinal", shape, levels, **more),), shape)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_colours_follow_each_other_unless_some_are_gaps(channels):
    law = COLOURS if channels in (2, 3) else "discretized-logistic"
    made = assemble("auto", image_of(channels, 8), {"latents": 2, "hidden": [4]})
    assert made.settings["likelihood"] == law
    assert made.settings.get("likelihood.logistics", 1) == 1
    assert any(law in word for word in made.words)
    asked = assemble("auto", image_of(channels, 8), {"likelihood": "categorical", "latents": 2})
    assert "likelihood.logistics" not in asked.settings
    gaps = image_of(channels, 8, missing=True)
    assert law_for(gaps) == "discretized-logistic"


@pytest.mark.parametrize(
    ("examples", "side", "epochs", "batch", "mirror"),
    [
        (434, 64, 179, 32, True),  # the usual updates
        (ENOUGH, 64, 54, 64, False),  # no more cells than MOST_CELLS
        (100_000, 64, 2, 64, False),
        (100_000, 512, 1, 64, False),
        (434, 16, 120, 21, False),  # small images, as vectors are
    ],
)
def test_large_images_are_trained_for_as_long_as_their_cells_allow(
    examples, side, epochs, batch, mirror
):
    small = {"channels": 4} if side > 16 else {"hidden": [4]}
    made = assemble("auto", image_of(3, side), {"latents": 2, **small}, examples=examples)
    training = made.training
    assert (training.epochs, training.batch_size, training.mirror) == (epochs, batch, mirror)
    assert training.shift == (MOVED if mirror else 0)
    words = " ".join(made.words)
    assert ("mirrors" in words) == ("moves images by up to 6%" in words) == mirror
    still = {"mirror": False, "shift": 0, **small}
    asked = assemble("auto", image_of(3, side), still, examples=examples)
    assert not asked.training.mirror and not asked.training.shift


def test_large_images_get_more_latents():
    assert latents_for(image_of(1, 32)) == 32
    assert latents_for(image_of(3, 32)) == MOST_OF_IMAGES == 128


def test_a_gaussian_is_in_the_units_of_the_data():
    cells = cells_of(build("vae", SCHEMAS["real-float64 5"])[0])
    assert cells.location.item() == 2.0
    assert cells.unit.item() == 3.0
    assert cells.unit.dtype == torch.float64
    scales = {"fixed": likelihoods.FixedScale, "shared": likelihoods.SharedScale,
              "per-dimension": likelihoods.PerDimensionScale}  # fmt: skip
    for name, kind in scales.items():
        found = cells_of(build("vae", SCHEMAS["real 5"], scale=name, sigma=0.5)[0]).scale
        assert type(found) is kind
        assert torch.allclose(found().detach(), torch.tensor(0.5))


def measured(kind, shape, levels, mean, scale):
    name = "image" if len(shape) == 3 else "x"
    return Schema((Field(name, kind, shape, levels, mean=mean, scale=scale),), shape)


def test_levels_are_seen_from_their_mean():
    schema = measured("ordinal", (2,), 9, (1.0, 4.0), (2.0,))
    assert seen_by(build("vae", schema, latents=2)[0], [0, 8]) == [-0.5, 2.0]


@pytest.mark.parametrize(
    ("shape", "examples", "settings", "network", "because"),
    [
        ((1, 28, 28), ENOUGH, {}, "mlp", "small images"),
        ((1, 28, 28), ENOUGH - 1, {}, "residual", "are few"),
        ((1, 28, 28), ENOUGH, {"minutes": 4.9}, "mlp", "small images"),
        ((1, 28, 28), ENOUGH, {"minutes": 5}, "residual", "5 minutes are enough"),
        ((1, 28, 28), ENOUGH, {"network": "residual"}, "residual", "as asked for"),
        ((3, 32, 32), ENOUGH, {}, "residual", "many for fully connected"),
    ],
)
def test_networks_follow_from_the_size_of_images_their_number_and_the_time_there_is(
    shape, examples, settings, network, because
):
    schema = Schema((Field("image", "ordinal", shape, 256),), shape)
    made = assemble("auto", schema, settings, examples=examples, seed=0)
    assert made.settings["network"] == network
    assert because in " ".join(made.words)


@pytest.mark.parametrize(("examples", "share"), [(None, 1), (ENOUGH, 1), (ENOUGH - 1, 1 / 3)])
def test_hidden_layers_start_even_unless_there_are_few_examples(examples, share):
    mlp = {"network": "mlp"}
    made = assemble("vae", SCHEMAS["8-bit 1x28x28"], mlp, examples=examples, seed=0)
    first = made.model.posterior.network.layers[0].weight.detach()
    # of 401,408 draws: the variance is known to 0.23 %, 4.9 errors of it are 1.1 %
    assert float(first.var()) == pytest.approx(share / 784, rel=0.011)


def last_bias(model):
    network = model.likelihood.network
    last = network.layers[-1] if isinstance(network, networks.MLP) else network.head
    return last.bias.detach().double()


SHARE = torch.linspace(0.1, 0.9, 128).reshape(2, 8, 8)


@pytest.mark.parametrize("network", ["mlp", "residual"])
@pytest.mark.parametrize(
    ("kind", "levels", "axis"),
    [
        ("binary", 2, torch.logit),
        ("ordinal", 2, lambda share: 2 * share - 1),  # two levels under a logistic
        ("ordinal", 256, lambda share: 2 * share - 1),
    ],
)
def test_a_decoder_starts_at_the_mean(network, kind, levels, axis):
    location = tuple(((levels - 1) * SHARE).flatten().tolist())
    schema = measured(kind, (2, 8, 8), levels, location, (0.4,))
    own = {"channels": 4} if network == "residual" else {}
    model = build("vae", schema, latents=2, network=network, **own)[0]
    # a residual decoder has one bias a channel, for each of the four cells that it puts out at
    # once: the channel's own mean, not that of the logits
    share = SHARE if network == "mlp" else SHARE.mean(dim=(1, 2)).repeat_interleave(4)
    wanted = axis(share.double()).flatten()
    torch.testing.assert_close(last_bias(model)[: len(wanted)], wanted, rtol=1e-5, atol=1e-5)


def test_means_of_0_and_1_keep_a_way_back():
    model = build("vae", measured("binary", (3,), 2, (0.0, 0.5, 1.0), (0.4,)), latents=1)[0]
    assert torch.allclose(
        last_bias(model).sigmoid(), torch.tensor([LEAST, 0.5, 1 - LEAST]).double()
    )


def linear(network):
    return [layer for layer in network.modules() if isinstance(layer, nn.Linear)]


def spread_of(layer, side=slice(None)):
    """Of the weights, in units of torch's own: sqrt(3 inputs) times their standard deviation."""
    return float(layer.weight[side].detach().std()) * (3 * layer.in_features) ** 0.5


def test_first_weights_by_name():
    # layers 1000 -> 600 -> (2, 50) and 50 -> 600 -> 1000; of 30,000 weights and more the standard
    # deviation is known to 0.4 % at most, 4.9 errors of it are 2 %
    schema = measured("binary", (1000,), 2, (0.3,) * 1000, (0.4,))
    made = {
        init: build("vae", schema, latents=50, hidden=(600,), init=init)[0]
        for init in ("even", "small", "glorot", "torch")
    }
    about = {name: linear(model.posterior) for name, model in made.items()}
    glorot = (2 * 3 * 600 / (600 + 50)) ** 0.5  # mean and scale are layers of their own
    first = {"even": 3**0.5, "small": 1.0, "glorot": (6 * 1000 / 1600) ** 0.5, "torch": 1.0}
    last = {"even": 0.1, "small": 0.1, "glorot": glorot, "torch": 1.0}
    for init, (hidden, head) in about.items():
        assert spread_of(hidden) == pytest.approx(first[init], rel=0.02)
        for side in (slice(0, 50), slice(50, 100)):
            assert spread_of(head, side) == pytest.approx(last[init], rel=0.02)
        assert bool(hidden.bias.any()) == (init in ("small", "torch"))
        assert bool(head.bias.any()) == (init == "torch")
        at_mean = torch.allclose(last_bias(made[init]).sigmoid(), torch.tensor(0.3).double())
        assert at_mean == (init != "torch")


def test_first_weights_of_an_mlp_are_refused_for_convolutions():
    with pytest.raises(SettingError, match="init 'glorot' is for --set network=mlp"):
        build("vae", SCHEMAS["8-bit 1x28x28"], network="residual", init="glorot")


def test_an_encoder_may_see_the_data_as_it_is():
    schema = measured("ordinal", (2,), 9, (1.0, 4.0), (2.0,))
    assert seen_by(build("vae", schema, latents=2, inputs="raw")[0], [0, 8]) == [0.0, 8.0]
    assert seen_by(build("vae", schema, latents=2, inputs="symmetric")[0], [0, 8]) == [-1.0, 1.0]
    for reals in ("real 5", "count 5", "mixed 6"):
        with pytest.raises(SettingError, match="inputs 'symmetric' is for levels"):
            build("vae", SCHEMAS[reals], inputs="symmetric")


def test_levels_that_were_not_measured_are_brought_to_the_axis_from_minus_one_to_one():
    model, _ = build("vae", SCHEMAS["8-bit 1x1x1"], latents=2)
    seen = model.view(Batch(torch.tensor([0, 255], dtype=torch.uint8).view(2, 1, 1, 1)))
    assert seen.flatten().tolist() == [-1.0, 1.0]


def test_the_number_of_latents_is_chosen_and_may_be_given():
    assert [latents_for(SCHEMAS[s]) for s in ("real 1", "real 5")] == [1, 3]
    assert assemble("auto", SCHEMAS["8-bit 1x28x28"], {"hidden": [4]}).settings["latents"] == 32
    assert build("vae", SCHEMAS["real 5"], latents=7)[0].prior.latents == 7


def test_the_decoder_has_the_hidden_layers_of_the_encoder_reversed():
    model, _ = build("vae", SCHEMAS["real 5"], hidden=[9, 4], latents=2)
    encoder, decoder = model.posterior.network, model.likelihood.network
    assert (str(encoder), str(decoder)) == ("MLP 5-9-4-4", "MLP 2-4-9-5")


def test_recipes_give_their_objectives():
    schema = SCHEMAS["real 5"]
    assert build("vae", schema)[1] == ELBO(1)
    assert build("auto", schema, samples=3)[1] == ELBO(3)
    assert build("beta-vae", schema, beta=2.0)[1] == BetaELBO(2.0, 1)
    assert build("iwae", schema)[1] == IWAE(5)
    guided = build("vae", schema, free_bits=0.25, beta_warm_up=0.1)[1]
    assert isinstance(guided, Annealed)
    assert guided.objective == FreeBits(ELBO(1), 0.25)
    assert guided.at(0.05).beta == pytest.approx(0.5)
    assert isinstance(build("vae", schema, posterior="full")[0].posterior, posteriors.FullGaussian)


MISFITS = [
    ("8-bit 1x28x28", {"likelihood": "bernoulli"}, r"no probability.*discretized-logistic"),
    (
        "ordinal 5",
        {"likelihood": "bernoulli"},
        r"cumulative-logit or --likelihood logistic-mixture, or --binarize",
    ),
    ("8-bit 1x28x28", {"likelihood": "gaussian"}, r"is a density.*discretized-logistic"),
    ("binary 5", {"likelihood": "gaussian"}, r"use --likelihood bernoulli or"),
    ("real 5", {"likelihood": "bernoulli"}, r"does not fit.*use --likelihood gaussian"),
    ("real 5", {"likelihood": "categorical"}, r"does not fit.*use --likelihood gaussian"),
    ("binary 5", {"likelihood": "discretized-logistic"}, r"use --likelihood bernoulli"),
    ("real 5", {"network": "residual"}, r"needs images.*use mlp"),
    ("real 5", {"posterior": "full", "free_bits": 0.1, "samples": 0}, "at least 1"),
    ("count 5", {"likelihood": "gaussian"}, r"is a density.*use --likelihood negative-binomial"),
    ("count 5", {"likelihood": "categorical"}, r"does not fit.*use --likelihood negative-bin"),
    ("real 5", {"likelihood": "negative-binomial"}, r"does not fit.*use --likelihood gaussian"),
    ("mixed 6", {"likelihood": "gaussian"}, r"column 'likes', which is binary.*--likelihood auto"),
    ("real 5", {"prior": "vamp", "components": 0}, "components must be from 1 to 65536, got 0"),
]


@pytest.mark.parametrize(("schema", "settings", "words"), MISFITS)
def test_parts_that_do_not_fit_are_refused_with_the_choices(schema, settings, words):
    with pytest.raises(SettingError, match=words):
        build("vae", SCHEMAS[schema], **settings)


@pytest.mark.parametrize("schema", SCHEMAS)
def test_the_likelihood_chosen_always_fits(schema):
    law = law_for(SCHEMAS[schema])
    if law == "auto":
        assert SCHEMAS[schema].kind == "mixed"
    else:
        check_law(law, SCHEMAS[schema])


@pytest.mark.parametrize("kind", [k for k in KINDS if KINDS[k].law != "autoregressive"])
def test_every_kind_has_a_law_that_takes_it_and_its_default_comes_first(kind):
    assert fitting(kind)[0] == KINDS[kind].law


SMALL = {"latents": 4, "hidden": [4]}


@pytest.mark.parametrize(
    ("recipe", "settings", "objective"),
    [
        ("iwae", {"bound": "renyi", "alpha": 0.2}, objectives.Renyi(5, 0.2)),
        ("iwae", {"bound": "ciwae", "share": 0.1, "samples": 3}, objectives.CIWAE(3, 0.1)),
        ("vae", {"cycles": 4}, objectives.Annealed(objectives.ELBO(), Cycles(4, 0.5))),
        ("vae", {"cycles": 4, "beta_warm_up": 0.3},
         objectives.Annealed(objectives.ELBO(), Cycles(4, 0.3))),
        ("discrete", {"estimator": "disarm", "prior": "bernoulli", "posterior": "bernoulli"},
         objectives.DisARM(4)),
    ],
)  # fmt: skip
def test_settings_choose_bounds_and_cycles(recipe, settings, objective):
    assert build(recipe, SCHEMAS["binary 5"], **settings)[1] == objective


def test_a_bound_between_has_no_gradient_of_another_kind():
    with pytest.raises(SettingError, match="bound 'renyi' has the total gradient"):
        build("iwae", SCHEMAS["binary 5"], bound="renyi", gradient="dreg")


OF_CELLS = [
    recipe.name
    for recipe in recipes()
    if recipe.name not in ("text-vae", "music-vae", "series-vae", "dmm", "semi-supervised")
]
WRITTEN = [(name, "8-bit 3x5x7", SMALL) for name in OF_CELLS] + [
    ("vae", "mixed 6", {**SMALL, "prior": "vamp", "components": 2, "sigma": 0.5}),
    ("auto", "mixed 6", {**SMALL, "prior": "mixture"}),
    ("vae", "8-bit 3x5x7", {"network": "residual", "channels": 4, "likelihood": "categorical"}),
]


@pytest.mark.parametrize(("name", "schema", "settings"), WRITTEN, ids=str)
def test_settings_written_down_build_the_same_model_again(name, schema, settings):
    first = assemble(name, SCHEMAS[schema], settings, seed=1)
    written = json.loads(json.dumps(first.settings))
    again = assemble(first.recipe.name, SCHEMAS[schema], written, seed=1)
    assert again.settings == first.settings
    assert again.objective == first.objective
    for one, other in zip(first.model.parameters(), again.model.parameters(), strict=True):
        assert torch.equal(one, other)


def test_the_seed_decides_the_initial_weights_and_the_callers_state_is_left_alone():
    before = torch.get_rng_state()
    one, other, third = (
        assemble("vae", SCHEMAS["real 5"], {"hidden": [4]}, seed=seed).model.state_dict()
        for seed in (1, 1, 2)
    )
    assert torch.equal(torch.get_rng_state(), before)
    key = "posterior.network.layers.0.weight"
    assert torch.equal(one[key], other[key])
    assert not torch.equal(one[key], third[key])


def test_training_is_sized_to_the_number_of_examples():
    few = assemble("vae", SCHEMAS["real 5"], examples=100).training
    many = assemble("vae", SCHEMAS["real 5"], examples=1_000_000).training
    assert (few.batch_size, many.batch_size) == (16, 128)
    assert few.epochs > many.epochs == 20
    given = assemble("vae", SCHEMAS["real 5"], {"epochs": 3, "batch_size": 5}, examples=100)
    assert (given.training.epochs, given.training.batch_size) == (3, 5)


def test_a_model_on_meta_takes_no_memory_and_has_the_same_tensors():
    settings = {"latents": 65536, "hidden": [65536]}  # 13 thousand million bytes and more
    schema = SCHEMAS["real 5"]
    with pytest.raises(SettingError, match="parameters, more than"):
        assemble("vae", schema, settings)
    with torch.device("meta"):
        model = flat(schema, latents=4096, network=Choice("mlp", {"hidden": (65536,)}))
    assert all(p.is_meta for p in model.parameters())
    for name, entry in SCHEMAS.items():
        with torch.device("meta"):
            empty = build("auto", entry, hidden=[4])[0]
        full = build("auto", entry, hidden=[4])[0]
        shapes = [{k: (v.shape, v.dtype) for k, v in m.state_dict().items()} for m in (empty, full)]
        assert shapes[0] == shapes[1], name


def test_the_posterior_starts_near_the_prior():
    for schema in ("8-bit 1x28x28", "real 5"):
        model, _ = build("auto", SCHEMAS[schema], latents=4)
        last = [m for m in model.posterior.modules() if isinstance(m, nn.Linear)][-1]
        assert not bool(last.bias.any())


def test_the_choice_is_told_in_words():
    words = assemble("auto", SCHEMAS["real 5"], {"latents": 4}).words
    assert any("real vectors of 5" in sentence for sentence in words)
    assert any("Gaussian" in sentence for sentence in words)
    assert any(sentence.startswith("4 latent units") for sentence in words)
    assert not any("Prior" in sentence for sentence in words)
    words = " ".join(assemble("vae", SCHEMAS["mixed 6"], {"prior": "mixture"}).words)
    assert (
        "Likelihood by the kind of each column: bernoulli for 1 binary column, categorical for 1 "
        "categorical column, negative-binomial for 1 count column, gaussian for 2 real columns, "
        "discretized-logistic for 1 ordinal column." in words
    )
    assert "Prior mixture, as asked for." in words
    assert "values are counts" in " ".join(assemble("auto", SCHEMAS["count 5"]).words)
