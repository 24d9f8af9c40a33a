"""The figures of docs/assumptions.md are those of benchmarks/results.

    python tests/test_assumptions.py

writes them anew.
"""

import json
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "assumptions.md"


def result(name):
    path = ROOT / "benchmarks" / "results" / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8"))["rows"]


def of_refit():
    lines = [
        "| prior | ELBO | Fréchet distance of samples (of held-out images) |",
        "|---|---|---|",
    ]
    for row in result("refit"):
        lines.append(
            f"| {row['prior']} | {row['elbo']:.1f} | {row['frechet']:.1f} "
            f"({row['frechet_of_real']:.1f}) |"
        )
    return "\n".join(lines)


def of_parts():
    lines = ["| model | ELBO | bound of 100 draws |", "|---|---|---|"]
    for row in result("parts"):
        lines.append(f"| {row['name']} | {row['elbo']:.1f} | {row['log_likelihood']:.1f} |")
    return "\n".join(lines)


def written(page):
    """The page with its two tables as they should be."""
    for name, table in (("refit", of_refit()), ("parts", of_parts())):
        before, _, rest = page.partition(f"<!-- {name} -->\n")
        _, _, after = rest.partition(f"<!-- /{name} -->")
        page = f"{before}<!-- {name} -->\n{table}\n<!-- /{name} -->{after}"
    return page


def test_the_figures_of_the_page_are_those_of_the_results():
    page = PAGE.read_text(encoding="utf-8")
    assert written(page) == page, f"run python {__file__}"


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
