"""A prior that is fitted to the encodings of a trained model."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from lowerbound.catalogue.refit_codes import fitted_codes
from lowerbound.catalogue.refit_flow import Candidates, fitted_flows
from lowerbound.core import Conditional, Model, dtype_of, on
from lowerbound.data import Data, Source
from lowerbound.distributions import log_prob
from lowerbound.distributions.codes import points_of
from lowerbound.errors import DataError, SettingError, UnknownNameError
from lowerbound.priors import CodesPrior, FlowPrior, Mixture
from lowerbound.priors.mixture import Covariance
from lowerbound.seeding import seeded

#: Priors that can be fitted after training: from their number of units and settings.
REFITTED: Mapping[str, Callable[..., Conditional]] = {
    "mixture": Mixture,
    "flow": FlowPrior,
    "autoregressive": CodesPrior,
}
#: Numbers of components that are tried, in order, as long as each is better than the one before.
COMPONENTS = (1, 2, 4, 8, 16, 32, 64, 128)
#: Fewest training examples, and ten times as many as those of validation.
FEWEST = 100
#: Most encodings that a prior is fitted to, and is judged by.
MOST, MOST_JUDGED = 20_000, 5_000
#: With fewer encodings a unit, mixtures without correlations are tried, too.
FEW = 50
#: Examples that are encoded at a time.
CHUNK = 500
#: Weight, within a class, of the components of all classes.
STRAY = 1e-3
#: Rounds of expectation maximisation at most, and nats that a round gains at least.
ROUNDS, ENOUGH = 20, 1e-2
#: A unit's variance in a component is at least this share of its variance over all encodings.
LEAST_SHARE = 1e-4


@dataclass(frozen=True)
class Refit:
    """A prior for a trained model, and what it gains.

    Attributes:
        prior: Its name among the builders of the catalogue.
        settings: Of that builder.
        tensors: Its weights, by name.
        gain: How much higher the ELBO of the validation examples is with it, nats an example.
        error: Standard error of `gain` over examples.
        tried: Each number of components and covariance, or number of layers and their map of units,
            with its gain.
    """

    prior: str
    settings: dict[str, Any]
    tensors: dict[str, Tensor]
    gain: float
    error: float
    tried: tuple[tuple[int, str, float], ...] = ()

    @property
    def words(self) -> str:
        """One sentence for a person."""
        inner = ", ".join(f"{value} {name}" for name, value in self.settings.items())
        return (
            f"prior refitted to the encodings: {self.prior} ({inner}), validation ELBO "
            f"{self.gain:+.2f} ± {self.error:.2f} nats"
        )


def refit(
    model: Model,
    data: Data,
    prior: str = "mixture",
    *,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Refit | None:
    """Fit a prior to the encodings of the training part, and choose its size by validation.

    The encoder and the decoder stay as they are. With z ~ q(z|x) the ELBO changes by the mean of
    log p_new(z) - log p_old(z), which is what validation compares; the prior that maximises it is
    the mean of q(z|x) over the data.

    Args:
        model: Trained.
        data: That of its training.
        prior: "mixture" of Gaussians, "flow", or "auto" for the better of the two; for latents that
            are codes "autoregressive", which is also what "auto" is there.
        seed: Of the draws and of the fit.
        progress: Called with (fits done, fits in all at most).

    Returns:
        The best prior; None if none is better than the model's own by two standard errors.

    Raises:
        UnknownNameError: Another prior.
        SettingError: The model's latents are no vector, or of other values than the prior's; or
            its prior cannot be replaced.
        DataError: There are too few examples.

    Source: Ghosh et al. (2020), section 4 (a density fitted after training), arXiv 1903.12436;
        Hoffman & Johnson (2016), section 2, for what it gains.
    """
    if prior not in (*REFITTED, "auto"):
        raise UnknownNameError("prior to refit", prior, [*REFITTED, "auto"])
    check_replaceable(model)
    name, space = next(iter(model.latents.items()))
    if len(space.shape) != 1:
        raise SettingError(f"a prior is refitted to a vector of latents; group '{name}' is none")
    if prior != "auto" and space.discrete != (prior == "autoregressive"):
        holds, fits = ("codes", "autoregressive") if space.discrete else ("reals", "mixture")
        raise SettingError(f"group '{name}' holds {holds}: refit it with --prior {fits}")
    if space.on:
        raise SettingError(f"a prior is refitted to any numbers; group '{name}' holds {space.on}")
    if len(data.train) < FEWEST or len(data.validation) < FEWEST // 10:
        raise DataError(
            f"a prior is fitted to at least {FEWEST} training and {FEWEST // 10} validation "
            f"examples, got {len(data.train)} and {len(data.validation)}"
        )
    with seeded(seed, stream="refit"):
        known, _, codes = encodings(model, data.train, name, MOST, seed, MOST)
        judged, old, told = encodings(
            model, data.validation, name, MOST_JUDGED, seed, stream="judged encodings"
        )
    if any(field.kind == "count" for field in data.schema.told):
        codes = None  # a total is no class
    makers: dict[str, Callable[..., Candidates]] = {
        "mixture": partial(_mixtures, codes=codes),
        "flow": fitted_flows,
    }
    if space.discrete:
        makers = {"autoregressive": partial(fitted_codes, points=_points(model, data, name))}
    best: tuple[float, Tensor, Conditional, dict[str, Any], str] | None = None
    tried: list[tuple[int, str, float]] = []
    for kind in makers if prior == "auto" else (prior,):
        candidates = makers[kind](known, judged, seed)
        gain: float | None = None
        while True:
            try:  # a candidate follows from the gain of the one before
                made, settings, most = candidates.send(gain)
            except StopIteration:
                break
            with torch.no_grad():
                gains = log_prob(made(told), judged.to(dtype_of(made))) - old
                gains = _by_example(gains, len(data.validation.few(MOST_JUDGED)))
            gain = float(gains.mean())
            size, shape = list(settings.values())[:2]
            tried.append((size, shape, gain))
            if progress is not None:
                progress(len(tried), most)
            if best is None or gain > best[0]:
                best = gain, gains, made, settings, kind
    if best is None:
        return None
    gain, gains, made, settings, kind = best
    error = float(gains.std() / math.sqrt(len(gains)))
    if not gain > 2 * error:
        return None
    tensors = {key: value.detach().clone() for key, value in made.state_dict().items()}
    return Refit(kind, settings, tensors, gain, error, tuple(tried))


def check_replaceable(model: Model) -> None:
    """Raise `SettingError` for a model whose prior cannot be replaced, before one is fitted."""
    if type(model).with_prior is Model.with_prior:
        model.with_prior(Mixture(1, 1))


def refit_after(
    model: Model,
    data: Data,
    prior: str = "auto",
    *,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Refit | None:
    """Refit by itself after a training: None, and no refusal, where there is too little data."""
    if len(data.train) < FEWEST or len(data.validation) < FEWEST // 10:
        return None
    return refit(model, data, prior, seed=seed, progress=progress)


def apply(model: Model, refit: Refit) -> Model:
    """Return the model under a refitted prior; encoder and decoder are shared with it.

    Raises:
        SettingError: The prior is of another make than its weights.
    """
    name, space = next(iter(model.latents.items()))
    made = REFITTED[refit.prior](space.units, **refit.settings)
    try:
        made.load_state_dict(refit.tensors)
    except RuntimeError as error:
        raise SettingError(f"the refitted prior does not fit group '{name}'") from error
    whole = model.with_prior(made)
    place = next((p for p in model.parameters()), None)
    return whole if place is None else whole.to(place.device)


@torch.no_grad()
def _points(model: Model, data: Data, name: str) -> Tensor:
    """Return the codes that a variable of a group can take, on the CPU."""
    with on(model) as device:
        p = model.trace(data.train.batch(slice(0, 1)).to(device)).latents[name].p
        return points_of(p).cpu()


def _mixtures(z: Tensor, judged: Tensor, seed: int, codes: Tensor | None = None) -> Candidates:
    """Fit mixtures of more and more components, as long as the gain grows.

    Of a model that is told one class, each class has a mixture of its own, p(z|c).
    """
    if codes is not None and codes.shape[1] == 1:
        rows = [z[codes[:, 0] == code] for code in range(int(codes.max()) + 1)]
        if min(map(len, rows)) >= FEW:
            yield from _by_class(rows, seed)
            return
    shapes: tuple[Covariance, ...] = ("full",)
    units = z.shape[1]
    if units == 1:
        shapes = ("diagonal",)
    elif len(z) < FEW * units:
        shapes = ("full", "diagonal")
    possible = [k for k in COMPONENTS if k * 10 <= len(z)] or [1]
    for covariance in shapes:
        last = -math.inf
        for components in possible:
            settings = {"components": components, "covariance": covariance}
            made = fitted(z, components, covariance, seed)
            gain = yield made, settings, len(shapes) * len(possible)
            if gain is None or gain <= last:
                break
            last = gain


def _by_class(rows: list[Tensor], seed: int) -> Candidates:
    """Fit as many components to each class, more and more, as long as the gain grows."""
    possible = [k for k in COMPONENTS if k * FEW <= min(map(len, rows))]
    last = -math.inf
    for each in possible:
        fits = [fitted(own, each, "full", seed) for own in rows]
        made = Mixture(rows[0].shape[1], each * len(rows), "full", len(rows))
        parts = [one.state_dict() for one in fits]
        shares = torch.cat([part.pop("log_weights").softmax(dim=0) for part in parts])
        whole = torch.tensor([len(own) for own in rows], dtype=shares.dtype)
        places = torch.arange(len(rows)).repeat_interleave(each)
        weights = shares * (whole / whole.sum())[places]
        # a class may look like another: no component is impossible
        blocks = shares * (places == torch.arange(len(rows)).unsqueeze(1))
        joined = {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
        joined["log_weights"] = weights.log()
        joined["of_classes"] = ((1 - STRAY) * blocks + STRAY * weights).log()
        made.load_state_dict(joined)
        settings = {"components": each * len(rows), "covariance": "full", "classes": len(rows)}
        gain = yield made, settings, len(possible)
        if gain is None or gain <= last:
            return
        last = gain


@torch.no_grad()
def encodings(
    model: Model,
    examples: Source,
    name: str,
    most: int,
    seed: int,
    least: int = 2000,
    stream: str = "encodings",
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Draw z ~ q(z|x) of a group, and log p(z) under the model's own prior.

    Args:
        model: Trained.
        examples: Of its data.
        name: Of the group.
        most: How many examples at most.
        seed: Of the draws.
        least: Up to ten draws of each are made to have as many as this.
        stream: Of the random numbers; examples that judge a fit have another than those it saw,
            or a mixture that learned the noise by heart would be praised for it.

    Returns:
        `(N, D)` and `(N,)`, float64, and what the model was told of each, `(N, C)`; on the CPU.
    """
    few = examples.few(most)
    draws = max(1, min(10, least // max(1, len(few))))
    drawn: list[Tensor] = []
    log_p: list[Tensor] = []
    told: list[Tensor] = []
    with on(model) as device, seeded(seed, device, stream=stream):
        for start in range(0, len(few), CHUNK):
            batch = few.batch(slice(start, start + CHUNK))
            trace = model.trace(batch.to(device), draws)
            if batch.condition is not None:
                told.append(batch.condition.repeat(draws, 1))
            latent = trace.latents[name]
            drawn.append(latent.z.flatten(end_dim=1).double().cpu())
            log_p.append(latent.log_p.flatten().double().cpu())
    return torch.cat(drawn), torch.cat(log_p), torch.cat(told) if told else None


def _by_example(values: Tensor, examples: int) -> Tensor:
    """Average the draws of each example: they are alike, and no sample of examples."""
    draws = len(values) // examples
    chunks = values.split(CHUNK * draws)
    return torch.cat([chunk.view(draws, -1).mean(dim=0) for chunk in chunks])


def fitted(z: Tensor, components: int, covariance: Covariance, seed: int) -> Mixture:
    """Fit a mixture to points `(N, D)` by expectation maximisation from k-means.

    With the products of every two units beside z, either step of a round is two products of
    matrices: sums of z and z z^T weighted by responsibilities, and log p of all components, which
    is linear in z and z z^T.

    Source: Dempster, Laird & Rubin (1977), JRSS B 39, 1.
    """
    from sklearn.cluster import KMeans

    units = z.shape[1]
    centre, spread = z.mean(dim=0), z.std(dim=0).clamp(min=1e-12)
    x = ((z - centre) / spread).float()  # half the time of float64
    full = covariance == "full"
    rows, columns = torch.triu_indices(units, units) if full else torch.arange(units).repeat(2, 1)
    squares, same = x[:, rows] * x[:, columns], rows == columns
    times = torch.where(same, -0.5, -1.0)

    def moments(shares: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mass = shares.sum(dim=0).double() + 1e-6  # no component is without a point
        mean = (shares.T @ x).double() / mass.unsqueeze(-1)
        spreads = (shares.T @ squares).double() / mass.unsqueeze(-1)
        spreads += LEAST_SHARE * same - mean[:, rows] * mean[:, columns]
        whole = z.new_zeros(components, units, units)
        whole[:, rows, columns] = whole[:, columns, rows] = spreads
        # rounding may leave no covariance of a narrow component far away: its variances then
        failed = torch.linalg.cholesky_ex(whole)[1].view(-1, 1, 1) > 0
        alone = torch.diag_embed(torch.diagonal(whole, dim1=-2, dim2=-1).clamp(min=LEAST_SHARE))
        return mass, mean, torch.where(failed, alone, whole)

    start = KMeans(components, n_init="auto", max_iter=10, random_state=seed).fit(x.numpy())
    found = moments(one_hot(torch.as_tensor(start.labels_).long(), components).float())
    last = -math.inf
    for _ in range(ROUNDS):
        mass, mean, whole = found
        factor = torch.linalg.cholesky(whole)
        inverse = torch.cholesky_inverse(factor)
        slope = (inverse @ mean.unsqueeze(-1)).squeeze(-1)
        volume = torch.diagonal(factor, dim1=-2, dim2=-1).log().sum(dim=-1)
        level = (mass / len(x)).log() - 0.5 * (slope * mean).sum(dim=-1) - volume
        curve = times * inverse[:, rows, columns]
        shares = torch.addmm(level.float(), squares, curve.T.float()).addmm_(x, slope.T.float())
        log_p = shares.logsumexp(dim=-1, keepdim=True)
        bound = float(log_p.mean())
        if bound - last < ENOUGH:
            break
        last, found = bound, moments(shares.sub_(log_p).exp_())
    mass, mean, whole = found
    covariances = torch.outer(spread, spread) * whole
    made = Mixture(units, components, covariance).double()
    made.put(
        mass / mass.sum(),
        centre + spread * mean,
        covariances if full else torch.diagonal(covariances, dim1=-2, dim2=-1),
    )
    return made.float()
