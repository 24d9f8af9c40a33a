"""Pages that do not stand in docs/: a hook of mkdocs (mkdocs.yml names it).

The README and its like, recipes from the catalogue, the API from the public names. Links that lead
through the repository are made to lead through the site.
"""

import inspect
import posixpath
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files

import lowerbound
from lowerbound.catalogue import Recipe, recipes
from lowerbound.catalogue.settings import each_of, settings_of
from lowerbound.cli.catalogue import default_in_words, setting_json
from lowerbound.report.markup import pretty
from lowerbound.reproduce import entries

sys.path.insert(0, str(Path(__file__).parent))

from published import markdown, row

ROOT = Path(__file__).parents[1]

#: Files outside docs/ that are part of the site, and where they stand in it.
OUTSIDE = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "benchmarks/README.md": "benchmarks/index.md",
    "examples/vae_in_100_lines.py": "examples/vae_in_100_lines.md",
    "CITATION.cff": "CITATION.cff",
    **{
        f"benchmarks/results/{path.name}": f"benchmarks/results/{path.name}"
        for path in sorted((ROOT / "benchmarks" / "results").glob("*.json"))
    },
}
SOURCE_OF = {site: repository for repository, site in OUTSIDE.items()}

#: Public modules of the package whose names have a page of their own.
MODULES = (
    "objectives", "priors", "posteriors", "likelihoods", "networks", "distributions",
    "data", "training", "evaluation", "applications", "catalogue", "reproduce", "testing", "errors",
)  # fmt: skip


# --- files and navigation


def on_config(config: Any) -> Any:
    """Add recipes and the API to the navigation."""
    names = ["recipes/index.md", *(f"recipes/{recipe.name}.md" for recipe in recipes())]
    api = ["api/index.md", *(f"api/{module}.md" for module in MODULES)]
    config.nav[2:2] = [{"Recipes": names}, {"Published numbers": "published.md"}]
    config.nav.append({"API": api})
    return config


def on_files(files: Files, config: Any) -> Files:
    """Add every page that does not stand in docs/."""
    for site, content in generated():
        files.append(File.generated(config, site, content=content))
    return files


def generated() -> Iterator[tuple[str, str]]:
    """Pages and files from elsewhere: where they stand, and their text."""
    for repository, site in OUTSIDE.items():
        text = (ROOT / repository).read_text()
        if repository.endswith(".py"):
            text = f'# {Path(repository).name}\n\n```python linenums="1"\n{text}```\n'
        yield site, text
    yield "recipes/index.md", recipe_list()
    for recipe in recipes():
        yield f"recipes/{recipe.name}.md", recipe_page(recipe)
    yield "published.md", published_page()
    yield "api/index.md", api_page("lowerbound", lowerbound)
    for module in MODULES:
        yield f"api/{module}.md", api_page(f"lowerbound.{module}", getattr(lowerbound, module))


def recipe_list() -> str:
    """All recipes, one line each."""
    rows = [f"| [`{r.name}`]({r.name}.md) | {year_of(r)} | {r.use} |" for r in recipes()]
    head = "# Recipes\n\nWhat `--model NAME` takes. Any part goes with any recipe.\n\n"
    return head + "\n".join(["| name | year | when to use |", "|---|---|---|", *rows]) + "\n"


def recipe_page(recipe: Recipe) -> str:
    """One recipe, from its own fields."""
    parts = [
        f"# {recipe.title}\n",
        f"`lowerbound fit DATA --model {recipe.name}` maximises\n",
        f'<p class="recipe-formula">{pretty(recipe.formula)}</p>\n',
        f"**When to use it.** {recipe.use}\n",
        f"**When not to.** {arxiv(recipe.avoid)}\n" if recipe.avoid else "",
        f"**Source.** {arxiv(recipe.source)}\n",
        f"**Differs from it.** {arxiv(recipe.differs)}\n" if recipe.differs else "",
        "The equations are derived in [the mathematics](../mathematics/index.md).\n",
        our_numbers(recipe),
        "## Settings\n",
        "What `--set NAME=VALUE` can change.\n",
        "| name | default | type | of | what it is |\n|---|---|---|---|---|",
    ]
    listed = settings_of(recipe)
    for builder, setting in (one for joined in listed.values() for one in each_of(joined)):
        about = setting_json(setting, builder)
        kind = " \\| ".join(about["choices"]) or about["type"].replace("|", "\\|")
        default = default_in_words(about)
        meaning = setting.meaning.replace("|", "\\|")
        of = f"`{setting.name.partition('.')[0]}={builder}`" if builder else setting.group
        parts.append(f"| `{setting.name}` | {default} | {kind} | {of} | {meaning} |")
    return "\n".join(part for part in parts if part) + "\n"


PUBLISHED = """# Published numbers

What papers and other libraries report, and what this library gets under their protocol, in nats
per example: an upper bound on -log p(x) of the test images, lower is better. Each entry is written
down once, with architecture, schedule and evaluation, and `lowerbound reproduce NAME` runs it.

A figure is called *reproduced* only when the whole published budget was run, on all test images,
and it is no worse than published by more than the tolerance said below. *Partial budget* says how
much was run: such a figure shows that the code learns, not what the paper's schedule leads to.
States are computed from the files that the figures lead to, which hold command, seeds, versions and
machine.

"""


def our_numbers(recipe: Recipe) -> str:
    """Published figures of a recipe beside ours; empty where there are none."""
    chosen = [entry for entry in entries() if entry.recipe == recipe.name]
    if not chosen:
        return ""
    table = published_table(chosen, "../benchmarks/results")
    about = "In nats per example; [what each entry is](../published.md).\n\n"
    return f"## Published numbers\n\n{about}{table}"


def published_page() -> str:
    """Every published figure: ours beside theirs, then what each entry is."""
    parts = [PUBLISHED, published_table(entries(), "benchmarks/results"), "\n## Entries\n"]
    for entry in entries():
        others = "; ".join(f"{value:g} by {who}" for value, who in entry.others)
        parts += [
            f"### {entry.name}\n",
            f"{entry.title}.\n",
            f"**Source.** [{entry.published.source}]({entry.published.address}).\n",
            f"**Protocol.** {entry.protocol}"
            + ("" if entry.is_linear else f" Evaluated with {entry.samples:,} draws an image.")
            + "\n",
            f"**Budget.** {entry.epochs:,} epochs in batches of {entry.batch_size:,}, "
            f"{entry.updates:,} updates. Tolerance {entry.tolerance:g} nats.\n",
            f"**Differs.** {entry.differs}\n",
            f"**Others got.** {others}.\n" if others else "",
        ]
    return "\n".join(part for part in parts if part)


def published_table(chosen: Any, results: str) -> str:
    """The table of some entries."""
    place = ROOT / "benchmarks" / "results"
    return markdown([row(entry, place) for entry in chosen], results)


def year_of(recipe: Recipe) -> str:
    """The year, or nothing for the recipe that is another one."""
    return "" if recipe.source.startswith("as ") else str(recipe.year)


def arxiv(text: str) -> str:
    """With links to what is named by its arXiv number."""
    return re.sub(r"arXiv (\d{4}\.\d{4,5})", r"[arXiv \1](https://arxiv.org/abs/\1)", text)


def api_page(name: str, module: Any) -> str:
    """The public names of a module, each documented by its docstring."""
    about = (inspect.getdoc(module) or "").split("\n\n")[0]
    lines = [f"# {name}\n", f"{about}\n"]
    for public in getattr(module, "__all__", vars(module)):
        value = getattr(module, public)
        if inspect.ismodule(value) or public.startswith("_"):
            continue
        if not (inspect.isclass(value) or inspect.isfunction(value)):
            continue
        home = value.__module__.removeprefix("lowerbound.").split(".")[0]
        if name == f"lowerbound.{home}" or (name == "lowerbound" and home not in MODULES):
            lines.append(f"::: {value.__module__}.{value.__qualname__}\n")
        elif name == "lowerbound":
            lines[1] += f"[`{public}`]({home}.md#{value.__module__}.{value.__qualname__}) "
    return "\n".join(lines)


# --- links


LINK = re.compile(r"(?<=\]\()([^)\s:]+?)(#[^)\s]*)?(?=\))")


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Make links of the repository into links of the site."""
    here = page.file.src_uri
    source = SOURCE_OF.get(here, f"docs/{here}")
    if source.startswith("docs/") and not (ROOT / source).exists():
        return markdown  # generated: its links are the site's already

    def moved(match: re.Match[str]) -> str:
        path, fragment = match[1], match[2] or ""
        if path.startswith("#"):
            return match[0]
        target = posixpath.normpath(posixpath.join(posixpath.dirname(source), path))
        if target in OUTSIDE:
            site = OUTSIDE[target]
        elif target.startswith("docs/"):
            site = target.removeprefix("docs/")
        else:
            raise PluginError(f"{source}: {path} is not part of the site; add it to OUTSIDE")
        if target.endswith(".py"):
            fragment = fragment.replace("#L", "#__codelineno-0-")
        return posixpath.relpath(site, posixpath.dirname(here) or ".") + fragment

    return outside_code(markdown, lambda text: LINK.sub(moved, text))


def outside_code(markdown: str, change: Any) -> str:
    """The page, all but its fenced blocks changed."""
    pieces = re.split(r"(^```.*?^```$)", markdown, flags=re.MULTILINE | re.DOTALL)
    return "".join(p if p.startswith("```") else change(p) for p in pieces)
