"""A VAE with one group of latents, from the parts in its slots."""

from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor

from lowerbound.catalogue.laws import bins_of, laws_for, sites_of
from lowerbound.catalogue.policy import init_for, latents_for, network_for
from lowerbound.catalogue.slots import SLOTS, Choice, Likelihood, Networks, Posterior, Prior
from lowerbound.core import Told, View
from lowerbound.data import KINDS, Schema
from lowerbound.distributions import Bins, Layout
from lowerbound.errors import SettingError
from lowerbound.likelihoods import Cells, Fields, Site, outputs_of
from lowerbound.likelihoods.negative_binomial import LEAST
from lowerbound.models import VAE
from lowerbound.networks import Init, Network, Pair, Sized
from lowerbound.priors import Site as Place

#: By what a posterior gives: the usual prior of such values.
PRIOR_OF = {
    "reals": "standard-normal",
    "classes": "categorical",
    "bits": "bernoulli",
    "codes": "codes",
    "positive numbers": "gamma",
    "shares": "dirichlet",
    "directions": "sphere",
}
Inputs = Literal["standardized", "symmetric", "raw", "binned", "logs"]


def flat(
    schema: Schema,
    *,
    latents: int | None = None,
    prior: Prior = "standard-normal",
    posterior: Posterior = "diagonal",
    likelihood: Likelihood = "auto",
    network: Networks = "auto",
    init: Literal["auto", "even", "small", "glorot", "torch"] = "auto",
    inputs: Inputs = "standardized",
) -> VAE:
    """Assemble prior, posterior and likelihood for data of a schema.

    Args:
        schema: That of the data.
        latents: Number of latent units; from the data if none.
        prior: p(z), the law that latents are drawn from.
        posterior: q(z|x), the law that stands for p(z|x).
        likelihood: p(x|z): one law for all cells, or by the kind of each if "auto".
        network: Encoder and decoder; from the data if "auto".
        init: First weights. "even": hidden layers of an MLP hand on numbers of the size they are
            given; "small": they are as torch draws them; with both q(z|x) starts near the prior
            and p(x|z) near the mean. "glorot", "torch": of all layers. "auto": "even" for MLPs and
            3,000 training examples or more, else "small".
        inputs: The encoder's view of x: from the mean of the training examples, in units of their
            spread ("standardized"); levels between -1 and 1 ("symmetric"); as it is ("raw"); or
            standardized, with one number for each bin of a table's columns, and a mask ("binned");
            logarithms of 1 + a count, from that of the mean ("logs").
            Categories are one number a level; a mask is put beside data with gaps.

    Raises:
        SettingError: Two parts do not go together, or with the data.
    """
    if latents is None:
        latents = latents_for(schema)
    if not 1 <= latents <= 65536:
        raise SettingError(f"latents must be from 1 to 65536, got {latents}")
    chosen = Choice.of(network)
    name = network_for(schema) if chosen.name == "auto" else SLOTS["network"].check(chosen.name)
    pair: Pair = SLOTS["network"].builders[name](**chosen.settings)
    first: Init = init_for(name, None) if init == "auto" else init
    about_x = Choice.of(likelihood)
    laws = laws_for(schema, about_x)
    only = next(iter(laws.values()))
    cells = laws if len(laws) > 1 or only.ragged else only
    if pair.images and not schema.is_image:
        raise SettingError(f"network '{name}' needs images, the data has none; use mlp")
    if pair.series and not schema.is_series:
        raise SettingError(f"network '{name}' needs series, the data has none; use mlp")
    view = view_of(schema, inputs)
    about = Choice.of(posterior)
    family: Any = SLOTS["posterior"].builders[SLOTS["posterior"].check(about.name)]
    seen = view.shape(schema.shape)
    told = told_of(schema, seen)
    seen = seen if told is None else told.shape(seen)
    encoder = pair.encoder(seen, family.parameters_shape(latents))
    inputs_of_decoder = latents if told is None else latents + told.size
    total = next(iter(told.totals.values()), None) if told is not None and only.sized else None
    inputs_of_decoder -= total is not None
    decoder = pair.decoder((inputs_of_decoder,), outputs_of(cells, schema.shape))
    if not next(encoder.parameters()).is_meta:  # there sizes are counted and nothing else
        for net in (encoder, decoder):
            net.start(first)
        # codes that all begin near 0 would be rounded to one
        if first not in ("glorot", "torch") and family.values != "codes":
            encoder.start_small()
        if first != "torch":
            sites = sites_of(schema, about_x.name)
            start_at_mean(decoder, laws, sites, by_channel=pair.images)
    q = family(encoder, **about.settings)
    top = Choice.of(prior)
    build = SLOTS["prior"].builders[SLOTS["prior"].check(top.name)]
    levels = () if told is None else told.levels
    p = build(Place(latents, seen, q, levels), **top.settings)
    if p.values != q.values:
        raise SettingError(
            f"posterior '{about.name}' gives {q.values}, and prior '{top.name}' is a law of "
            f"{p.values}; use prior={PRIOR_OF[q.values]}"
        )
    if total is not None:
        mean = torch.ones(schema.shape) if schema.mean is None else schema.mean.clamp(min=LEAST)
        only.told = True
        decoder = Sized(decoder, mean, centre=total[0], scale=total[1])
    return VAE(p, q, Fields(decoder, cells), view, told)


def told_of(schema: Schema, seen: tuple[int, ...]) -> Told | None:
    """Return what turns the conditions of a schema into numbers; None for a model told nothing.

    Args:
        schema: That of the data.
        seen: Shape of what the encoder is shown of x without them.
    """
    measures = {place: one for place, one in enumerate(schema.told) if one.kind == "count"}
    totals = {p: ((f.mean or (0.0,))[0], (f.scale or (1.0,))[0]) for p, f in measures.items()}
    levels = [field.levels or 0 for field in schema.told]
    return Told(levels, seen, totals) if schema.told else None


def view_of(schema: Schema, inputs: Inputs = "standardized") -> View:
    """Return the layer through which an encoder sees data of a schema."""
    cut: dict[int, Bins] = {}
    if inputs == "binned":
        found = enumerate(map(bins_of, schema.modelled)) if schema.is_table else ()
        cut = {place: bins for place, bins in found if bins is not None}
    levels = {
        schema.columns_of(field).start: field.levels or 2
        for field in schema.modelled
        if not KINDS[field.kind].standardised and field.shape == () and not cut
    }
    mean, scale = torch.tensor(0.0), torch.tensor(1.0)
    measured, spread = schema.mean, schema.scale
    if inputs == "logs":
        if schema.kind != "count" or schema.is_table:
            raise SettingError(f"inputs 'logs' is for counts, and the data is {schema.describe()}")
        at = torch.tensor(0.0) if measured is None else measured.log1p()
        return View(at, 1.0, masked=schema.missing, logs=True)
    if inputs == "symmetric" and schema.levels is None:
        raise SettingError(
            f"inputs 'symmetric' is for levels, and the data is {schema.describe()}; "
            "use standardized"
        )
    if inputs in ("standardized", "binned") and measured is not None and spread is not None:
        mean, scale = measured, spread
    elif inputs != "raw" and schema.levels is not None:
        mean = scale = torch.tensor((schema.levels - 1) / 2)
    bins = (tuple(cut), Layout(tuple(cut.values()))) if cut else None
    # the mask is always there for series: gaps are usual in those that come later
    masked = schema.missing or schema.is_series or inputs == "binned"
    return View(mean, scale, levels=levels, masked=masked, bins=bins)


def start_at_mean(
    decoder: Network,
    laws: Mapping[tuple[int, ...], Cells],
    sites: Mapping[tuple[int, ...], Site],
    *,
    by_channel: bool,
) -> None:
    """Start a decoder at the mean of the training examples, for laws that have a start.

    Args:
        decoder: A network of a pair.
        laws: As `laws_for` returns them.
        sites: Of the laws; nothing is done where the data was not measured.
        by_channel: Whether the decoder has one bias a channel: then the mean is the channel's.
    """
    place = 0
    for (places, site), law in zip(sites.items(), laws.values(), strict=True):
        size = law.numbers(len(places))
        if site.mean is not None:
            mean: Tensor = site.mean.double().expand(site.shape)
            if by_channel:
                mean = mean.mean(dim=(1, 2), keepdim=True).expand(site.shape)
            values = law.start(mean)
            if values is not None:
                decoder.start_at(values, place)
        place += size
