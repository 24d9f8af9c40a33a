"""`lowerbound certify`: do the parts keep what they promise?"""

import importlib
import json as json_format
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lowerbound.cli.common import Force, Json, option, out_option
from lowerbound.errors import LowerboundError, SettingError, UnknownNameError

if TYPE_CHECKING:
    from lowerbound.testing.certify import Part

KINDS = ("prior", "posterior", "likelihood", "objective")
FORMS = (".json", ".md")


def command(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="PART", help="Names, kinds or MODULE:NAME; all if left out."),
    ] = None,
    kind: Annotated[
        str | None, option("--as", "KIND", "prior, posterior, likelihood or objective.")
    ] = None,
    planted: Annotated[
        bool, option("--planted", None, "Plant errors instead, and see each one caught.")
    ] = False,
    out: Annotated[Path | None, out_option("Write the table too: .json or .md.")] = None,
    force: Force = False,
    json: Json = False,
) -> None:
    """Check every part against the identities it must keep, and say how near each came.

    PART is a name (DiagonalGaussian, vae), a kind (priors, posteriors, likelihoods, networks,
    objectives, recipes, references), or MODULE:NAME, a part of your own: a class or a function that
    makes it (a prior from its number of latents, a posterior from its network, a law of cells or an
    objective from nothing, a whole likelihood from the shape of x, for 3 latents). Importing MODULE
    runs its code. Errors are in nats, or in standard errors where a sample is compared;
    beyond 4.9 of these a check fails. With --planted, errors are planted in right parts, to show
    that the checks see them: the errors live in a checkout of the repository, in tests/planted.

    Examples:
      lowerbound certify
      lowerbound certify priors DiagonalGaussian
      lowerbound certify my_parts:StudentPosterior --as posterior
      lowerbound certify --planted --out planted.md
    """
    from lowerbound.cli.certificates import (
        certificates_in_markdown,
        corpus,
        outcomes_in_markdown,
        show_certificates,
        show_outcomes,
    )
    from lowerbound.cli.console import say_json, working
    from lowerbound.cli.output import check_output, form_of

    names = names or []
    if planted and (names or kind is not None):
        raise SettingError("--planted tries the whole corpus; leave out PART and --as")
    if kind is not None and kind not in KINDS:
        raise UnknownNameError("kind", kind, KINDS)
    if kind is not None and not any(":" in name for name in names):
        raise SettingError("--as says what a MODULE:NAME is, and there is none")
    if out is not None:
        check_output(out, form_of(out, FORMS), force=force)
    results: Sequence[Any]
    document: dict[str, Any]
    if planted:
        try_corpus = corpus().try_corpus
        with working("planting errors") as progress:
            results = try_corpus(progress=progress)
        show: Callable[..., None] = show_outcomes
        markdown = outcomes_in_markdown(results)
        bad = [f"{outcome.check}: {outcome.words}" for outcome in results if not outcome.caught]
        summary = {"planted": len(results), "caught": len(results) - len(bad), "missed": len(bad)}
        document = {**summary, "errors": [vars(result) for result in results]}
    else:
        from lowerbound.testing.certify import certify_parts

        chosen = chosen_parts(names, kind)
        with working("certifying") as progress:
            results = certify_parts(chosen, progress)
        show, markdown = show_certificates, certificates_in_markdown(results)
        bad = [result.name for result in results if result.failure is not None]
        document = {"failed": len(bad), "parts": [result.to_json() for result in results]}
    if out is not None:
        from lowerbound.runs import write_atomically

        is_markdown = out.suffix.lower() == ".md"
        text = markdown if is_markdown else json_format.dumps(document, indent=1)
        write_atomically(out, f"{text.rstrip()}\n".encode())
    if json:
        say_json(document)
    else:
        show(results)
    if bad:
        verb = "missed" if planted else "failed"
        raise LowerboundError(f"{len(bad)} of {len(results)} {verb}: {', '.join(bad[:5])}")


def chosen_parts(names: Sequence[str], kind: str | None) -> "list[Part]":
    """Return parts of the table and parts of one's own, in the table's order, then as given."""
    from lowerbound.testing.certify import parts

    listed = [name for name in names if ":" not in name]
    own = [own_part(name, kind) for name in names if ":" in name]
    return [*(parts(listed) if listed or not own else ()), *own]


def own_part(name: str, kind: str | None) -> "Part":
    """Make a part of one's own, from MODULE:NAME."""
    from lowerbound.core.conditional import Conditional
    from lowerbound.likelihoods import Cells
    from lowerbound.networks import MLP
    from lowerbound.objectives import Objective
    from lowerbound.posteriors import DiagonalGaussian
    from lowerbound.testing.certify import (
        likelihood_part,
        objective_part,
        posterior_part,
        prior_part,
    )

    thing: Any = imported(name)
    if kind is None:
        of, bases = thing if isinstance(thing, type) else type(thing), (Cells, Objective)
        kinds = zip(("likelihood", "objective"), bases, strict=True)
        kind = next((word for word, base in kinds if issubclass(of, base)), None)
    if kind is None:
        raise SettingError(f"what is {name}? say --as {', '.join(KINDS[:-1])} or {KINDS[-1]}")
    if kind == "objective":
        build: Callable[[], Any] = thing if not isinstance(thing, Objective) else lambda: thing
        is_bound = bool(build().is_bound)
        return objective_part(name, build, is_bound, tight=False)
    if isinstance(thing, Conditional) or not callable(thing):
        raise SettingError(f"{name} must be a class or a function that makes the {kind}")
    if kind == "prior":
        return prior_part(name, thing)
    if kind == "likelihood":
        of_cells = isinstance(thing, type) and issubclass(thing, Cells)
        return likelihood_part(name, (lambda shape: thing()) if of_cells else thing)
    shape_of = getattr(thing, "parameters_shape", DiagonalGaussian.parameters_shape)
    return posterior_part(
        name, lambda shape, latents: thing(MLP(shape, shape_of(latents), hidden=(8,)))
    )


def imported(name: str) -> Any:
    """Import MODULE:NAME, from the current directory first, as `python -m` does."""
    module_name, _, attribute = name.partition(":")
    if not all(part.isidentifier() for part in module_name.split(".")) or not attribute:
        raise SettingError(f"{name!r} is no MODULE:NAME")
    here = os.getcwd()
    sys.path.insert(0, here)
    importlib.invalidate_caches()
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name and not module_name.startswith(error.name):
            raise SettingError(
                f"{module_name} imports {error.name!r}, which is not there"
            ) from error
        raise SettingError(
            f"no module {module_name!r} here or among the installed ones; PART is MODULE:NAME"
        ) from error
    except (Exception, SystemExit) as error:  # whatever a module of the user's does
        why = " ".join(f"{type(error).__name__}: {error}".split())
        raise SettingError(f"{module_name} cannot be imported: {why}") from error
    finally:
        sys.path.remove(here)
    if not hasattr(module, attribute):
        public = [key for key in vars(module) if not key.startswith("_")]
        raise UnknownNameError(f"part in {module_name}", attribute, public)
    return getattr(module, attribute)
