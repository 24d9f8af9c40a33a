"""One HTML file about a run, to read and to hand on."""

from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2

from lowerbound.data import Data, Examples
from lowerbound.errors import LowerboundError
from lowerbound.evaluation import Evaluation
from lowerbound.objectives import BetaELBO
from lowerbound.report import again, facts, figures
from lowerbound.report.columns import Columns
from lowerbound.report.curves import learning_curves, rate_distortion
from lowerbound.report.latents import latent_map, latents_of, unit_bars
from lowerbound.report.markup import Html, Missing, Panel, pretty
from lowerbound.report.pictures import Gallery
from lowerbound.report.series import Sparklines
from lowerbound.report.tables import panels
from lowerbound.report.texts import Texts
from lowerbound.report.tunes import Tunes
from lowerbound.runs import Run
from lowerbound.runs.files import write_atomically

#: Held-out examples that a report looks at, where there are more on disk.
MOST_SHOWN = 5000


def write_report(
    run: Run, data: Data | None, evaluation: Evaluation | None, path: Path | None = None
) -> Path:
    """Write the report of a run: one HTML file that needs nothing else, not even a network.

    Parts that cannot be shown are left out with a sentence. One run always gives the same file.

    Args:
        data: Its data, of which the test split is shown; None if it is not at hand.
        evaluation: The figures of the model; None if nobody measured.
        path: Where to write, and the result; `report.html` in the run's directory if None.

    Raises:
        OutputError: The place cannot be written.
    """
    path = run.path / "report.html" if path is None else Path(path)
    write_atomically(path, render(run, data, evaluation).encode("utf-8", "replace"))
    return path


def render(run: Run, data: Data | None, evaluation: Evaluation | None) -> str:
    """Write the text of the report."""
    test, why = _held_out(run, data)
    found = _attempt(lambda: latents_of(run, test, evaluation))
    makers: list[Callable[[], Panel | Missing]]
    if run.schema.is_text:
        texts = Texts(run, test)
        makers = [texts.samples, texts.reconstructions, texts.interpolations, texts.surprises]
    elif run.schema.is_tune:
        tunes = Tunes(run, test)
        makers = [tunes.samples, tunes.reconstructions, tunes.interpolations]
    elif run.schema.is_series:
        lines = Sparklines(run, test)
        makers = [lines.samples, lines.reconstructions, lines.interpolations]
    elif run.schema.is_image:
        gallery = Gallery(run, test)
        makers = [
            lambda: gallery.samples(draw=False), lambda: gallery.samples(draw=True),
            gallery.reconstructions, gallery.interpolations,
            lambda: _about(found, lambda of: gallery.traversals(of.order, of.rates)),
        ]  # fmt: skip
    else:
        columns = Columns(run, test)
        makers = [columns.samples, columns.histograms, columns.reconstructions]
    shown = [_attempt(make) for make in makers]
    if run.schema.is_table:  # real beside synthetic, in place of the histograms
        beside = _attempt(lambda: panels(run, test))
        shown[1:2] = [beside] if isinstance(beside, Missing) else beside
    hide = float(run.spec.training.get("hide", 0.0))
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    files = resources.files("lowerbound.report")
    template = environment.from_string(files.joinpath("report.html.j2").read_text("utf-8"))
    return template.render(
        style=Html(files.joinpath("style.css").read_text("utf-8")),
        title=facts.title_of(run),
        source=facts.source_of(run),
        facts=facts.facts(run),
        notes=facts.notes(run),
        doubts=facts.doubts(run, data, evaluation) + ([why] if why else []),
        evaluation=evaluation,
        headlines=[] if evaluation is None else figures.headlines(evaluation),
        rungs=[] if evaluation is None else figures.rungs(evaluation),
        sentences=[] if evaluation is None else figures.sentences(evaluation),
        model=_model(run),
        curves=[learning_curves(run.history, hide), rate_distortion(run.history, hide)],
        shown=shown,
        latents=[_about(found, latent_map), _about(found, unit_bars)],
        command=again.command_of(run),
        snippet=again.snippet_of(run),
    )


def _held_out(run: Run, data: Data | None) -> tuple[Examples | None, str]:
    """Take the examples to show, or say why there are none."""
    if data is None:
        return None, "The data was not at hand: whatever needs held-out examples is left out."
    if data.schema.shape != run.schema.shape or data.schema.kind != run.schema.kind:
        return None, (
            f"The data given is {data.schema.describe()}, the run was trained on "
            f"{run.schema.describe()}: whatever needs held-out examples is left out."
        )
    if len(data.test) == 0:
        return None, "There are no held-out examples: whatever needs them is left out."
    few = isinstance(data.test, Examples) or len(data.test) <= MOST_SHOWN
    return data.test.load() if few else data.test.few(MOST_SHOWN), ""


def _attempt(make: Callable[[], Any]) -> Any:
    """Make something, or give the reason why it cannot be made."""
    try:
        return make()
    except LowerboundError as error:
        return Missing(f"Left out: {error}.")


def _about(found: Any, make: Callable[[Any], Any]) -> Any:
    return found if isinstance(found, Missing) else _attempt(lambda: make(found))


def _model(run: Run) -> dict[str, Any]:
    """Describe the model and its objective, in formulas and words."""
    model, criterion = run.model, run.objective.criterion
    factors = [
        (factor.name, pretty(factor.symbol), pretty(factor.formula), factor.parameters)
        for factor in model.describe()
    ]
    where = []
    if isinstance(criterion, BetaELBO):
        where.append(f"β = {criterion.beta:g}")
    if run.objective.samples > 1:
        where.append(f"K = {run.objective.samples}")
    guides = []
    if run.spec.settings.get("beta_warm_up"):
        guides.append(
            "While training is young the rate counts less (warm-up over "
            f"{run.spec.settings['beta_warm_up']:.0%} of it): the training curve begins with that."
        )
    if run.spec.settings.get("free_bits"):
        guides.append(
            f"Each unit has {run.spec.settings['free_bits']:g} nats of rate for free: the training "
            "curve is of that objective, the held-out curve of the bound without it."
        )
    return {
        "joint": pretty(_joint(list(model.latents))),
        "approximation": pretty(f"q({', '.join(model.latents)}|x)"),
        "target": pretty(f"p({', '.join(model.latents)}|x)"),
        "factors": factors,
        "objective": pretty(criterion.formula),
        "evidence": pretty("log p(x)") if criterion.is_bound else None,
        "where": ", ".join(where),
        "guides": guides,
        "text": str(model),
        "settings": [*run.spec.settings.items(), *run.spec.training.items()],
    }


def _joint(groups: list[str]) -> str:
    """Write the joint law as a product, from the top.

    Example:
        >>> _joint(["z2", "z1"])
        'p(x, z2, z1) = p(z2) p(z1|z2) p(x|z2, z1)'
    """
    parts = [f"p({groups[0]})"]
    parts += [f"p({one}|{', '.join(groups[:place])})" for place, one in enumerate(groups) if place]
    names = ", ".join(groups)
    return f"p(x, {names}) = {' '.join(parts)} p(x|{names})"
