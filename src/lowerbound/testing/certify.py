"""The whole ladder over every part of the table, with how near each identity came."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, Literal, get_args

import torch

from lowerbound.catalogue import assemble
from lowerbound.core import Conditional
from lowerbound.errors import UnknownNameError
from lowerbound.evaluation import evidence
from lowerbound.objectives import (
    ELBO,
    IWAE,
    RLOO,
    Annealed,
    DisARM,
    DReG,
    FreeBits,
    StickingTheLanding,
)
from lowerbound.posteriors import DiagonalGaussian, FullGaussian
from lowerbound.seeding import seeded
from lowerbound.testing import calibration, objectives, references, table
from lowerbound.testing.advice import explain
from lowerbound.testing.cells import check_likelihood
from lowerbound.testing.codes import check_gradient_of_codes
from lowerbound.testing.conformance import check_posterior, check_prior
from lowerbound.testing.evidence import check_evidence
from lowerbound.testing.ledger import Ledger
from lowerbound.testing.models import check_model
from lowerbound.testing.pairs import check_pair

Kind = Literal["prior", "posterior", "likelihood", "network", "objective", "recipe", "reference"]

#: Kinds, and what a group of them is called.
KINDS: Mapping[str, Kind] = {f"{kind}s": kind for kind in get_args(Kind)}

#: Every kind of data, small: on these each recipe is certified.
RECIPE_SCHEMAS = (
    "binary 5", "8-bit 1x1x1", "ordinal 5", "count 5", "real 1", "real-float64 5", "mixed 6"
)  # fmt: skip


@dataclass(frozen=True)
class Part:
    """Something that climbs the ladder; `check` raises AssertionError where it breaks a rule."""

    name: str
    kind: Kind
    check: Callable[[], None]


@dataclass(frozen=True)
class Certificate:
    """Findings on one part.

    Attributes:
        name: As in the table.
        kind: Kind of part.
        identities: How many identities were checked.
        nats: Largest error of an exact identity between log-densities, bounds or rates; None if
            there was none.
        standard_errors: Largest error of a statistical identity; None if there was none.
        seconds: How long it took.
        failure: The identity, the value found and the usual cause; None if all held.
    """

    name: str
    kind: Kind
    identities: int
    nats: float | None
    standard_errors: float | None
    seconds: float
    failure: str | None

    def to_json(self) -> dict[str, Any]:
        """Return a dictionary of plain values."""
        return asdict(self)


def certify(
    *names: str, progress: Callable[[int, int], None] | None = None
) -> tuple[Certificate, ...]:
    """Run the conformance ladder over the table: priors to recipes, and the reference models.

    Args:
        names: Parts of the table, or kinds such as "priors"; everything if there are none.
        progress: Called with (parts done, parts in all).

    Returns:
        A certificate for each part, in the order of the table; a part that fails does not stop
        the others.

    Raises:
        UnknownNameError: No part and no kind has such a name.

    Example:
        >>> (certificate,) = certify("StandardNormal")
        >>> certificate.failure is None, certificate.kind
        (True, 'prior')
    """
    return certify_parts(parts(names), progress)


def certify_parts(
    chosen: Sequence[Part], progress: Callable[[int, int], None] | None = None
) -> tuple[Certificate, ...]:
    """Run the check of each part."""
    found = []
    for done, part in enumerate(chosen, start=1):
        found.append(certify_part(part))
        if progress is not None:
            progress(done, len(chosen))
    return tuple(found)


def certify_part(part: Part) -> Certificate:
    """Run the check of one part; whatever it raises is a failure."""
    began, failure = time.perf_counter(), None
    with Ledger() as ledger:
        try:
            part.check()
        except AssertionError as error:
            failure = explain(str(error))
        except Exception as error:
            words = " ".join(str(error).split())
            failure = f"the ladder ended with {type(error).__name__}: {words}"
    found = ledger.largest("nats"), ledger.largest("standard errors")
    seconds = time.perf_counter() - began
    return Certificate(part.name, part.kind, len(ledger.entries), *found, seconds, failure)


def parts(names: Sequence[str] = ()) -> tuple[Part, ...]:
    """Return the parts of the table with these names or of these kinds; all if there are none.

    Raises:
        UnknownNameError: No part and no kind has such a name.
    """
    every = _every()
    known = {part.name for part in every} | set(KINDS)
    for name in names:
        if name not in known:
            raise UnknownNameError("part", name, known)
    kinds = {KINDS[name] for name in names if name in KINDS}
    return tuple(part for part in every if not names or part.name in names or part.kind in kinds)


def prior_part(name: str, build: Callable[[int], Any]) -> Part:
    """Return a prior, from how it is made of a number of latent units."""

    def check() -> None:
        for latents in (1, 3):
            with seeded(0):
                check_prior(build(latents))

    return Part(name, "prior", check)


def posterior_part(name: str, build: Callable[[tuple[int, ...], int], Any]) -> Part:
    """Return a posterior, from how it is made for x of a shape and a number of latent units."""

    def check() -> None:
        for shape, latents in (((4,), 3), ((1,), 1), ((1, 2, 3), 2)):
            with seeded(0):
                check_posterior(build(shape, latents), torch.randn(4, *shape))

    return Part(name, "posterior", check)


def likelihood_part(name: str, build: Callable[[tuple[int, ...]], Any]) -> Part:
    """Return a likelihood, from how it, or the law of its cells, is made for x of a shape.

    A law is put around a small decoder; a whole likelihood takes 3 latent units.
    """

    def check() -> None:
        for shape in ((2,), (1,), (1, 2, 2)):
            with seeded(0):
                made = build(shape)
                whole = made if isinstance(made, Conditional) else table.around_decoder(made, shape)
                check_likelihood(whole, table.latent_batch().float())

    return Part(name, "likelihood", check)


def objective_part(name: str, build: Callable[[], Any], bound: bool, tight: bool) -> Part:
    """Return an objective and what it claims."""
    return Part(
        name, "objective", lambda: objectives.check_objective(build(), bound=bound, tight=tight)
    )


def _check_network(name: str) -> None:
    with seeded(0):
        check_pair(table.NETWORKS[name]())


def _check_recipe(name: str) -> None:
    for schema in RECIPE_SCHEMAS:
        data = table.SCHEMAS[schema]
        made = assemble(name, data, table.RECIPES[name], seed=0)
        try:
            check_model(made.model, table.example_batch(data), made.objective)
        except AssertionError as error:
            raise AssertionError(f"on {schema} data: {error}") from error


def _check_linear(posterior: Any, orthogonal: bool) -> None:
    reference = references.LinearGaussian.random(2, 4, orthogonal=orthogonal)
    model = reference.vae(posterior)
    calibration.check_known_answer(reference, model)
    calibration.check_known_gradient(reference, model)
    calibration.check_path_gradient(reference, model)
    calibration.check_calibration(reference, model.posterior)


def _check_known(build: Callable[..., Any], *arguments: object, **settings: object) -> None:
    model = build(*arguments, **settings)
    calibration.check_known_answer(model, model)


def _wrapped() -> None:
    objectives.check_free_bits(lambda nats: FreeBits(ELBO(2), nats))
    objectives.check_annealed(lambda schedule: Annealed(ELBO(2), schedule))


def _of_codes() -> None:
    check_gradient_of_codes(partial(RLOO, 3))
    check_gradient_of_codes(partial(DisARM, 2))


def _without_score() -> None:
    calibration.check_reparameterised(StickingTheLanding, partial(ELBO, analytic=False))
    calibration.check_reparameterised(DReG, IWAE)


#: By name: a check of the library on a model that knows its answer.
REFERENCES: Mapping[str, Callable[[], None]] = {
    "LinearGaussian, diagonal": partial(_check_linear, DiagonalGaussian, True),
    "LinearGaussian, full": partial(_check_linear, FullGaussian, False),
    "LinearGaussianChain": partial(_check_known, references.LinearGaussianChain),
    "BetaBernoulli": partial(_check_known, references.BetaBernoulli),
    "BernoulliMixture": partial(_check_known, references.BernoulliMixture, exact=True),
    "CategoricalMixture": partial(_check_known, references.CategoricalMixture, exact=True),
    "SigmoidBeliefNet": partial(_check_known, references.SigmoidBeliefNet, (2,), 3, exact=True),
    "importance weights": lambda: objectives.check_importance_weighted(IWAE),
    "gradients without the score": _without_score,
    "gradients of codes": _of_codes,
    "free bits, annealing": _wrapped,
}


def _every() -> tuple[Part, ...]:
    claims = table.OBJECTIVES.items()
    return (
        *(prior_part(name, partial(table.prior_of, name)) for name in table.PRIORS),
        *(posterior_part(name, partial(table.posterior_of, name)) for name in table.POSTERIORS),
        *(likelihood_part(name, build) for name, build in table.LIKELIHOODS.items()),
        *(Part(name, "network", partial(_check_network, name)) for name in table.NETWORKS),
        *(objective_part(name, c.build, c.bound, c.tight) for name, c in claims),
        *(Part(name, "recipe", partial(_check_recipe, name)) for name in table.RECIPES),
        *(Part(name, "reference", check) for name, check in REFERENCES.items()),
        Part("evidence", "reference", lambda: check_evidence(evidence)),
    )
