"""Rules for a whole model: run this on a model of your own, with a batch of its data."""

import math
from dataclasses import replace

import torch
from torch import Tensor
from torch.distributions import (
    Beta,
    Dirichlet,
    Distribution,
    Gamma,
    InverseGamma,
    StudentT,
    VonMises,
)

from lowerbound.core import Model, Trace, flatten
from lowerbound.data import Batch
from lowerbound.distributions import Flow, PowerSpherical, Product, Settled, log_prob
from lowerbound.models import VAE
from lowerbound.objectives import ELBO, Objective
from lowerbound.seeding import seeded
from lowerbound.testing.assertions import assert_mean, check_close
from lowerbound.testing.bounds import check_bounds
from lowerbound.testing.cells import counted_cells
from lowerbound.testing.laws import (
    JUNK,
    check_copies,
    check_finite,
    check_reached,
    check_shape,
    perturbed,
)

_DENSITIES = ("log_px", "log_pz", "log_qz")


def check_model(
    model: Model, batch: Batch, objective: Objective | None = None, *, seed: int = 0
) -> None:
    """Run the conformance ladder on a model.

    Densities are `(K, B)`, float64, finite, also for extreme data; gradients reach every parameter;
    every row has noise of its own and sees no other row; what was not observed leaves no trace in
    bound or gradient; the densities are those of the parts; closed forms of the rate agree with
    the draws; bounds grow with the number of draws, up to log p(x) where the model offers
    `log_evidence`; copies and saved weights give the same numbers.

    Args:
        model: A model. A copy is checked.
        batch: Some of its data, at least 3 rows, all observed.
        objective: Of its training; the ELBO if None.
    """
    objective = objective or ELBO(samples=2)
    with seeded(seed):
        model = perturbed(model).eval()
        check_traces(model, batch)
        with seeded(0):
            check_reached(model, objective(model, batch).value.sum(), "the bound")
        check_rows(model, batch)
        check_masks(model, batch, objective)
        if isinstance(model, VAE):
            check_factors(model, batch)
        check_rate(model, batch)
        check_bounds(model, batch, objective)
        check_extremes(model, batch, objective)
        check_copies(model, "the model")


def traced(model: Model, batch: Batch, samples: int = 3, seed: int = 0) -> Trace:
    """Trace under a seed of its own: the same noise for the same shapes."""
    with seeded(seed):
        return model.trace(batch, samples)


def check_traces(model: Model, batch: Batch) -> None:
    """Check shapes, float64, finite numbers, and that one seed gives one trace."""
    rows = len(batch)
    for samples in (1, 3):
        trace = traced(model, batch, samples)
        for name in _DENSITIES:
            check_shape(getattr(trace, name), (samples, rows), name)
            check_finite(getattr(trace, name), name)
        for name, space in model.latents.items():
            shape = tuple(trace.latents[name].z.shape)
            if shape != (samples, rows, *space.shape):
                raise AssertionError(
                    f"group '{name}' has shape {shape}: it is (K, B, *shape), and the model says "
                    f"that its shape is {space.shape}"
                )
        for name, kl in trace.kl.items():
            check_finite(kl, f"the KL of group '{name}'")
            if kl.ndim != 3 or kl.shape[0] not in (1, samples) or kl.shape[1] != rows:
                raise AssertionError(f"the KL of group '{name}' is (1 or K, B, units)")
            if kl.dtype != torch.float64:
                raise AssertionError(f"the KL of group '{name}' is {kl.dtype}, not float64")
    if not torch.equal(traced(model, batch).log_px, traced(model, batch).log_px):
        raise AssertionError("the same seed gives two traces")


def check_rows(model: Model, batch: Batch) -> None:
    """Assert that row i never sees row j, and that every row has its own noise."""
    x = batch.x.clone()
    x[-1] = x[0]
    before = traced(model, batch)
    changed, draws = {1, len(x) - 1}, 3
    if any(_by_rejection(one.q) for one in before.latents.values()):
        # how much noise rejection takes depends on what came before: only the first draw compares
        changed, draws = {len(x) - 1}, 1
    else:
        x[1] = x[0]
    after = traced(model, replace(batch, x=x))
    untouched = [i for i in range(len(x)) if i not in changed]
    pairs = [(name, getattr(before, name), getattr(after, name)) for name in _DENSITIES]
    pairs += [(f"group '{n}'", one.z, after.latents[n].z) for n, one in before.latents.items()]
    for name, one, other in pairs:
        if not torch.equal(one[:draws, untouched], other[:draws, untouched]):
            raise AssertionError(f"{name} of one row depends on another row of the batch")
    _check_noise(model, x)
    order = torch.arange(len(x)).roll(1)
    here, moved = (
        flatten(model.encode(rows).latents, model.latents) for rows in (batch, batch.rows(order))
    )
    check_close(moved, here[order], "the encoding of a row that was moved", 1e-4, "plain")


def _check_noise(model: Model, x: Tensor) -> None:
    """Assert that equal rows have draws of their own, and so have two draws of one row."""
    twins = Batch(torch.cat([x[:1], x]))
    trace = traced(model, twins)
    if not all(one.q.has_rsample for one in trace.latents.values()):
        trace = traced(model, twins, 400)  # few values: a handful of draws may well be the same
    for name, one in trace.latents.items():
        if isinstance(one.q, Settled):  # nothing is drawn
            continue
        if torch.equal(one.z[:, 0], one.z[:, 1]) or bool((one.z == one.z[:1]).all()):
            raise AssertionError(
                f"two rows, or two draws, share their noise: draws of group '{name}' must differ"
            )


def _by_rejection(q: Distribution) -> bool:
    """Tell whether draws are proposed and rejected, and so use up more or less noise."""
    while hasattr(q, "base_dist"):
        q = q.base_dist  # type: ignore[attr-defined]
    kinds = Beta | Dirichlet | Gamma | InverseGamma | PowerSpherical | StudentT | VonMises
    return isinstance(q, kinds)


def check_masks(model: Model, batch: Batch, objective: Objective) -> None:
    """Assert that bound and gradient are bit-equal whatever an unobserved cell holds."""
    x = batch.x if batch.x.is_floating_point() else batch.x.float()
    everything = torch.ones(x.shape, dtype=torch.bool)
    full = traced(model, replace(batch, x=x, observed=everything))
    plain = traced(model, replace(batch, x=x))
    for name in _DENSITIES:
        if not torch.equal(getattr(full, name), getattr(plain, name)):
            raise AssertionError(f"{name} differs between a mask that hides nothing and no mask")
    observed = torch.rand(x.shape) < 0.6
    if any(getattr(part, "coupled", False) for part in model.modules()):
        observed = observed[:, :1].expand_as(observed).clone()  # whole pixels
    observed[0] = False
    names = ["the bound", *(f"the gradient for '{n}'" for n, _ in model.named_parameters())]
    names.insert(1, "the gradient for x")
    first: list[Tensor] = []
    for junk in (0.0, *JUNK):
        leaf = torch.where(observed, x, junk).requires_grad_()
        with seeded(0):
            value = objective(model, replace(batch, x=leaf, observed=observed)).value
        wanted = [leaf, *model.parameters()]
        gradients = torch.autograd.grad(value.sum(), wanted, materialize_grads=True)
        result = [value.detach(), *gradients]
        if not first:
            first = result
            continue
        for name, one, other in zip(names, first, result, strict=True):
            if not torch.equal(one, other):
                raise AssertionError(f"{name} changes when an unobserved cell holds {junk}")
            check_finite(other, f"{name}, where an unobserved cell holds {junk},")
        if bool((result[1][~observed] != 0).any()):
            raise AssertionError("an unobserved cell has a gradient")
    nothing = traced(model, replace(batch, x=x, observed=~everything))
    check_close(nothing.log_px, torch.zeros(()), "log p(x|z) where nothing was observed")


def check_factors(model: VAE, batch: Batch) -> None:
    """Assert that the trace holds log p(x|z), log p(z) and log q(z|x) of the model's own parts."""
    trace = traced(model, batch)
    (latent,) = trace.latents.values()
    given, seen = latent.z, model.view(batch)
    if model.told is not None:
        given = torch.cat([given, model.told(batch.condition, given)], dim=-1)
        seen = model.told.show(seen, batch.condition)
    parts = {
        "log_px": log_prob(model.likelihood(given), batch.x),
        "log_pz": log_prob(model.prior(batch.condition), latent.z),
        "log_qz": log_prob(model.posterior(seen), latent.z),
    }
    # a flow remembers its own draw: the way back, which is taken here, rounds in float32
    loose = 1e-4 if isinstance(latent.q, Flow) else 1e-9
    for name, value in parts.items():
        tolerance = loose if name == "log_qz" else 1e-9
        check_close(getattr(trace, name), value, f"{name} of the trace", tolerance)


def check_rate(model: Model, batch: Batch) -> None:
    """Compare closed forms of KL(q(z|x) || p(z)) with the mean of log q(z|x) - log p(z)."""
    few = batch.rows(slice(0, 2))
    with torch.no_grad():
        samples = max(200, min(4000, 40_000 // math.prod(few.x.shape[1:])))
        trace = traced(model, few, samples)
        if not trace.kl:
            return
        closed = sum((kl.sum(dim=-1) for kl in trace.kl.values()), torch.zeros(1, 2))
        mean = closed.mean(dim=0)
        # a closed form given the draws of other groups varies with them: compare draw by draw
        drawn = trace.log_qz - trace.log_pz - closed + mean
        resolves = 0.05 + 9 * drawn.std(dim=0) / samples**0.5
        assert_mean(drawn, mean, resolves=resolves, name="the drawn KL(q || p)")


def check_extremes(model: Model, batch: Batch, objective: Objective) -> None:
    """Assert that data at the ends of its range, or far away, gives numbers and gradients."""
    for extreme in _extremes(model, batch):
        trace = traced(model, replace(batch, x=extreme))
        for name in _DENSITIES:
            check_finite(getattr(trace, name), f"{name} of extreme data")
        value = objective.reduce(traced(model, replace(batch, x=extreme), objective.samples)).value
        wanted = list(model.parameters())
        for gradient in torch.autograd.grad(value.sum(), wanted, materialize_grads=True):
            check_finite(gradient, "a gradient of extreme data")


def _extremes(model: Model, batch: Batch) -> list[Tensor]:
    x = batch.x
    far = [x * 1e6, -x * 1e6] if x.is_floating_point() else []
    law = model.sample(1, condition=None if batch.condition is None else batch.condition[:1]).law
    if not isinstance(law, Product):
        return [x.min().expand_as(x), x.max().expand_as(x), *far]
    # columns have ranges of their own, and only reals may lie anywhere
    reals = ~counted_cells(law)
    return [x.amin(dim=0).expand_as(x), x.amax(dim=0).expand_as(x)] + [
        torch.where(reals, some, x) for some in far
    ]
