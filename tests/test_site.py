"""The hooks that build the site, where mkdocs is installed (`make docs` installs it)."""

import importlib.util
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

pytest.importorskip("mkdocs")
pytest.importorskip("latex2mathml")

ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / "docs" / "mathematics").glob("*.md"))


def hook(name: str):
    spec = importlib.util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


formulas, built, pages = hook("formulas"), hook("built"), hook("pages")
FORMULAS = [
    (page.name, latex)
    for page in PAGES
    for latex in re.findall(
        r"\$\$(.*?)\$\$|(?<!\$)\$([^$\n]+)\$(?!\$)",
        re.sub(r"^```.*?^```$|`[^`\n]*`", "", page.read_text(), flags=re.M | re.S),
    )
]


def text_of(html: str) -> str:
    return "".join(ElementTree.fromstring(html).itertext())


def test_every_formula_becomes_mathml_without_a_command_left_over() -> None:
    assert len(FORMULAS) > 150
    for page, (displayed, inline) in FORMULAS:
        html = formulas.formula(displayed or inline, bool(displayed))
        assert "\\" not in text_of(html), f"{page}: {displayed or inline}"
        assert "<math" in html or ":math" in html


def test_a_displayed_formula_needs_a_number_and_shows_it() -> None:
    with pytest.raises(Exception, match="without a number"):
        formulas.formula("a = b", True)
    html = formulas.formula(r"a = b \tag{2.3}", True)
    assert 'id="eq-2-3"' in html and "(2.3)</a>" in html


def test_a_number_in_running_text_leads_to_its_equation_and_one_in_code_does_not() -> None:
    html = formulas.with_references("<p>by (2.6)</p><pre><code>f(2.6)</code></pre>")
    assert '<p>by <a class="equation-link" href="divergence.html#eq-2-6">(2.6)</a></p>' in html
    assert "<code>f(2.6)</code>" in html


def test_every_chapter_has_its_page() -> None:
    assert {f"{name}.md" for name in formulas.CHAPTERS} == {page.name for page in PAGES}


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ('<a href="b.html">b</a>', "leads nowhere"),
        ('<a href="#nowhere">b</a>', "no such place"),
        ('<script src="https://cdn.example/x.js"></script>', "fetches https://cdn.example/x.js"),
        ('<link rel="stylesheet" href="//fonts.example/x.css">', "fetches //fonts"),
        ('<span class="arithmatex">x</span>', "not drawn"),
    ],
)
def test_what_is_wrong_with_a_site_is_seen(tmp_path: Path, body: str, complaint: str) -> None:
    (tmp_path / "a.html").write_text(f"<p id=here>{body}</p>")
    assert any(complaint in line for line in built.complaints(tmp_path))
    (tmp_path / "a.html").write_text('<p id="here"><a href="#here">x</a></p>')
    assert built.complaints(tmp_path) == []


def test_every_recipe_has_a_page_that_says_all_it_knows() -> None:
    from lowerbound.catalogue import recipes

    made = dict(pages.generated())
    for recipe in recipes():
        page = made[f"recipes/{recipe.name}.md"]
        assert recipe.title in page and recipe.use in page and "When not to" in page
        assert ("burda-iwae-5-dynamic" in page) == (recipe.name == "iwae")
        assert "| `latents` |" in page and "Differs" in page


def test_every_published_figure_has_its_row_and_its_protocol() -> None:
    from lowerbound.reproduce import entries

    page = dict(pages.generated())["published.md"]
    for entry in entries():
        assert page.count(f"| `{entry.name}` |") == 1
        assert f"### {entry.name}" in page and entry.protocol in page
