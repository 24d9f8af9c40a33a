"""The figures of docs/assumptions.md and of the tutorial of cells are those of benchmarks/results.

    python tests/test_assumptions.py

writes them anew.
"""

import json
from pathlib import Path
from statistics import mean

import pytest

ROOT = Path(__file__).parents[1]
DEMO = "fashion-small"
LAWS = {
    "negative-binomial": "negative binomial, the default",
    "zero-inflated-negative-binomial": "with further zeros",
    "poisson": "Poisson",
}


def result(name):
    path = ROOT / "benchmarks" / "results" / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8"))


def of_refit():
    lines = [
        "| prior | ELBO | Fréchet distance of samples (of held-out images) |",
        "|---|---|---|",
    ]
    for row in result("refit")["rows"]:
        if row["data"] == DEMO:
            lines.append(
                f"| {row['prior']} | {row['elbo']:.1f} | {row['frechet']:.1f} "
                f"({row['frechet_of_real']:.1f}) |"
            )
    return "\n".join(lines)


def of_gains():
    lines = [
        "| data | components | ELBO | log p(x) | Fréchet distance (real) | coverage (real) | "
        "told from data (real) |",
        "|---|---|---|---|---|---|---|",
    ]
    rows = [row for row in result("refit")["rows"] if row["data"] != DEMO]
    for before, after in zip(rows[::2], rows[1::2], strict=True):
        assert before["data"] == after["data"]
        assert (before["prior"], after["prior"]) == ("N(0, I)", "mixture")
        judge = "two_sample" if "two_sample" in before else "told apart, boosted"
        cells = [before["data"], str(after["components"]["components"])]
        for key, form in (
            ("elbo", ".1f"), ("log_likelihood", ".1f"), ("frechet", ".1f"), ("coverage", ".2f"),
            (judge, ".2f"),
        ):  # fmt: skip
            real = before.get(f"{key}_of_real")
            null = "" if real is None else f" ({real:{form}})"
            known = key in before
            cells.append(f"{before[key]:{form}} → {after[key]:{form}}{null}" if known else "")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def of_auto():
    lines = [
        "| kind | choice | epochs | log p(x) | refitted | against `auto` |",
        "|---|---|---|---|---|---|",
    ]
    for row in result("auto")["rows"]:
        against = f"{row['refitted_against_auto']:+.1f} ± {row['refitted_error']:.1f}"
        lines.append(
            f"| {row['kind']} | {row['choice']} | {row['epochs']} | {row['log_likelihood']:.1f} | "
            f"{row['log_likelihood_refitted']:.1f} | "
            f"{'' if row['choice'] == 'auto' else against} |"
        )
    return "\n".join(lines)


def of_parts():
    lines = ["| model | ELBO | bound of 100 draws |", "|---|---|---|"]
    for row in result("parts")["rows"]:
        lines.append(f"| {row['name']} | {row['elbo']:.1f} | {row['log_likelihood']:.1f} |")
    return "\n".join(lines)


def of_cells():
    found = result("cells")
    lines = [
        "| law | log p(x) | with the prior refitted | silhouette | ARI | NMI |",
        "|---|---|---|---|---|---|",
    ]
    told = ("silhouette", "ari", "nmi")
    for law, words in LAWS.items():
        rows = [row for row in found["rows"] if row["law"] == law]
        nats = [
            mean(row[key] for row in rows) for key in ("log_likelihood", "log_likelihood, refitted")
        ]
        values = [f"{value:.1f}" for value in nats]
        values += [f"{mean(row[key] for row in rows):.2f}" for key in told]
        lines.append(f"| {words} | {' | '.join(values)} |")
    components = found["ten principal components of logarithms"]
    values = " | ".join(f"{components[key]:.2f}" for key in told)
    lines.append(f"| ten principal components of logarithms | | | {values} |")
    return "\n".join(lines)


#: By page: each table that stands there, between comments of its name.
PAGES = {
    "docs/assumptions.md": {
        "refit": of_refit, "gains": of_gains, "auto": of_auto, "parts": of_parts,
    },
    "docs/tutorials/cells.md": {"cells": of_cells},
}  # fmt: skip


def written(page, tables):
    """The page with its tables as they should be."""
    for name, table in tables.items():
        before, begin, rest = page.partition(f"<!-- {name} -->\n")
        _, end, after = rest.partition(f"<!-- /{name} -->")
        assert begin and end, f"no place for the table {name!r}"
        page = f"{before}<!-- {name} -->\n{table()}\n<!-- /{name} -->{after}"
    return page


@pytest.mark.parametrize("place", PAGES)
def test_the_figures_of_the_page_are_those_of_the_results(place):
    page = (ROOT / place).read_text(encoding="utf-8")
    assert written(page, PAGES[place]) == page, f"run python {__file__}"


if __name__ == "__main__":
    for place, tables in PAGES.items():
        path = ROOT / place
        path.write_text(written(path.read_text(encoding="utf-8"), tables), encoding="utf-8")
