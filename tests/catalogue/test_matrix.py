"""Every prior and posterior with every use and objective: it works, or a sentence says why not.

    python tests/catalogue/test_matrix.py

writes the tables of docs/parts.md anew.
"""

import inspect
from functools import cache
from pathlib import Path

import pytest
import torch

import lowerbound as lb
from lowerbound import applications, evaluation, objectives
from lowerbound.catalogue import SLOTS, build, refit_flow
from lowerbound.catalogue import refit as refit_module
from lowerbound.catalogue.flat import PRIOR_OF
from lowerbound.core import Batch
from lowerbound.data import Examples
from lowerbound.errors import LowerboundError, SettingError
from lowerbound.posteriors import BUILDERS as POSTERIORS
from lowerbound.training.bound import bound_of

PAGE = Path(__file__).parents[2] / "docs" / "parts.md"
SMALL = {
    "components": 3, "exemplars": 5, "codes": 4, "size": 2, "prior.width": 4, "posterior.width": 4,
    "prior.layers": 1, "posterior.layers": 1, "classes": 2,
}  # fmt: skip

X = (torch.rand(120, 5, generator=torch.Generator().manual_seed(0)) < 0.5).to(torch.uint8)


@cache
def data():
    return lb.read(X.numpy())


def few(rows=6):
    return Examples(X[:rows])


def half():
    return Examples(X[:3], torch.arange(15).reshape(3, 5) % 2 == 0)


ELBO = objectives.ELBO
USES = {
    "generate": lambda m, d: applications.generate(m, 3, seed=0),
    "temperature": lambda m, d: applications.generate(m, 3, temperature=0.5, seed=0),
    "encode": lambda m, d: applications.encode(m, few()),
    "reconstruct": lambda m, d: applications.reconstruct(m, few()),
    "interpolate": lambda m, d: applications.interpolate(m, X[0], X[1]),
    "traverse": lambda m, d: applications.traverse(m, [0]),
    "impute": lambda m, d: applications.impute(m, half(), d.schema, samples=4, seed=0),
    "anomalies": lambda m, d: applications.anomalies(
        m, few(), applications.calibrate(m, few(30), samples=4, seed=0)
    ),
    "bounds": lambda m, d: evaluation.evidence(m, few(), 4),
    "AIS": lambda m, d: evaluation.annealed(m, few(2), evaluation.Annealing(2, 2, 1)),
    "gaps": lambda m, d: evaluation.gaps(m, few(2), updates=1, samples=8),
    "information": lambda m, d: evaluation.information(m, few()),
    "refit": lambda m, d: refit_module.refit(m, d, "auto"),
}
TRAININGS = {
    "ELBO": ELBO(2),
    "path": objectives.StickingTheLanding(2),
    "IWAE": objectives.IWAE(2),
    "DReG": objectives.DReG(2),
    "free bits": objectives.FreeBits(ELBO(2), 0.1),
    "TC": objectives.TotalCorrelation(ELBO(2)),
    "DIP": objectives.Disentangled(ELBO(2)),
    "MMD": objectives.Discrepancy(ELBO(2)),
    "capacity": objectives.Capacity(ELBO(2)),
    "RLOO": objectives.RLOO(2),
    "DisARM": objectives.DisARM(2),
    "enumerate": objectives.Enumerated(),
    "Gumbel": objectives.Gumbel(2),
}


def pairs():
    """Every prior with the first posterior of its values, and every posterior likewise.

    A Vamp prior has the values of its posterior: it is tried with each.
    """
    first = {}
    for name, family in POSTERIORS.items():
        first.setdefault(family.values, name)
    found = {}
    for prior in SLOTS["prior"].builders:
        for posterior in first.values():
            if (prior == "vamp" or not found.get(prior)) and not cell(
                lambda p=prior, q=posterior: made(p, q)
            ):
                found.setdefault(prior, []).append(posterior)
    for posterior, family in POSTERIORS.items():
        if posterior not in first.values():
            found[PRIOR_OF[family.values]].append(posterior)
    return [(prior, posterior) for prior, those in found.items() for posterior in those]


def made(prior, posterior):
    known = {"prior": prior, "posterior": posterior}
    builders = SLOTS["prior"].builders[prior], SLOTS["posterior"].builders[posterior]
    for slot, builder in zip(known.copy(), builders, strict=True):
        target = builder.__init__ if isinstance(builder, type) else builder
        for name in inspect.signature(target).parameters:
            value = SMALL.get(f"{slot}.{name}", SMALL.get(name))
            if value is not None:
                known[f"{slot}.{name}"] = value
    torch.manual_seed(0)
    return build("vae", data().schema, latents=4, hidden=(4,), **known)[0]


def cell(action):
    """An empty text where it works, else the sentence that refuses it."""
    try:
        action()
    except LowerboundError as error:
        return " ".join(str(error).split())
    return ""


def train(model, objective):
    name = type(objective).__name__
    try:
        value, _, _ = bound_of(model.train(), objective, Batch(X[:6]))
    except SettingError as error:  # the same sentence for all objectives
        raise SettingError(
            str(error).replace(f"and {name} gives", "and the objective gives")
        ) from None
    value.sum().backward()
    assert torch.isfinite(value).all()


def tables():
    """The two tables in Markdown, each refusal a number, and the list of their sentences."""
    rows, sentences = {}, []
    for prior, posterior in pairs():
        model = made(prior, posterior)
        found = [cell(lambda m=model, u=u: u(m, data())) for u in USES.values()]
        trained = [cell(lambda m=model, o=o: train(m, o)) for o in TRAININGS.values()]
        rows[prior, posterior] = found, trained

    def mark(sentence):
        if not sentence:
            return "yes"
        if sentence not in sentences:
            sentences.append(sentence)
        return str(sentences.index(sentence) + 1)

    lines = []
    for place, heads in enumerate((USES, TRAININGS)):
        lines += [
            "| prior, posterior | " + " | ".join(heads) + " |", "|---|" + "---|" * len(heads)
        ]  # fmt: skip
        for (prior, posterior), cells in rows.items():
            marks = " | ".join(mark(one) for one in cells[place])
            lines.append(f"| `{prior}`, `{posterior}` | {marks} |")
        lines.append("")
    lines += [f"{number}. {sentence}" for number, sentence in enumerate(sentences, start=1)]
    return "\n".join(lines) + "\n"


def quick(patch):
    patch(refit_flow, "UPDATES", 10)
    patch(refit_module, "FEWEST", 50)
    patch(refit_module, "COMPONENTS", (1,))


@pytest.mark.slow
def test_the_page_says_which_parts_go_with_which_uses_and_why_others_do_not(monkeypatch):
    quick(monkeypatch.setattr)
    written = PAGE.read_text(encoding="utf-8")
    assert written.partition("<!-- tables -->\n")[2] == tables(), f"run python {__file__}"


if __name__ == "__main__":
    quick(setattr)
    head, mark, _ = PAGE.read_text(encoding="utf-8").partition("<!-- tables -->\n")
    PAGE.write_text(head + mark + tables(), encoding="utf-8")
