"""Formulas as MathML: a hook of mkdocs (mkdocs.yml names it).

They are converted while the site is built, and a browser draws them by itself: no script, no font
and no network is needed to read them. Displayed ones have a number, to which running text links.
"""

import re
from html import unescape
from typing import Any
from xml.etree import ElementTree

from latex2mathml.converter import convert
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import Files

FORMULA = re.compile(
    r'<(?P<tag>span|div) class="arithmatex">\\[(\[](?P<latex>.*?)\\[)\]]</(?P=tag)>', re.DOTALL
)
TAG = re.compile(r"\\tag\{([\d.]+)\}")
NUMBER = re.compile(r"\((\d+)\.(\d+)\)")
#: Pages by the number of their equations.
CHAPTERS = (
    "index", "model", "divergence", "evidence", "elbo", "gradients", "gaussian", "training",
    "importance", "generating", "assumptions", "ignoring",
)  # fmt: skip


def on_page_content(html: str, page: Any, config: Any, files: Files) -> str:
    """Formulas as MathML; the numbers of equations as links to them."""
    html = FORMULA.sub(lambda match: formula(unescape(match["latex"]), match["tag"] == "div"), html)
    return with_references(html) if page.file.src_uri.startswith("mathematics/") else html


def formula(latex: str, display: bool) -> str:
    """One formula; displayed, with its number."""
    number = TAG.search(latex)
    mathml = tidied(convert(TAG.sub("", latex).strip(), display="block" if display else "inline"))
    if not display:
        return mathml
    if number is None:
        raise PluginError(f"a displayed formula without a number: {latex}")
    place = f"eq-{number[1].replace('.', '-')}"
    return (
        f'<div class="equation" id="{place}"><div class="formula">{mathml}</div>'
        f'<a class="number" href="#{place}">({number[1]})</a></div>'
    )


NAMESPACE = "http://www.w3.org/1998/Math/MathML"
FUNCTIONS = {"log", "exp", "det", "min", "tr", "Var", "diag"}
#: What has its index below it in a displayed formula.
UNDER = {"∑", "∏", "min"}
#: Operators, and the space on either side of them.
SPACES = {"∣": "0.14em", "‖": "0", "/": "0", "∼": "0.28em", "~": "0.28em", "∥": "0.2em"}
ElementTree.register_namespace("", NAMESPACE)


def tidied(mathml: str) -> str:
    """MathML with whole words as names, and the spaces that a printer would leave."""
    root = ElementTree.fromstring(mathml)
    for row in list(root.iter()):
        merge_letters(row)
        lower_prime(row)
        if root.get("display") == "block" and is_a(row, "msub") and row[0].text in UNDER:
            row.tag = f"{{{NAMESPACE}}}munder"
    for node in root.iter():
        text = node.text or ""
        if text in FUNCTIONS:
            node.tag = f"{{{NAMESPACE}}}mi"
        elif text in SPACES:
            node.tag = f"{{{NAMESPACE}}}mo"
            node.attrib |= {"lspace": SPACES[text], "rspace": SPACES[text], "stretchy": "false"}
    for row in list(root.iter()):
        if is_a(row, "mrow", "math"):
            space_row(row)
    return ElementTree.tostring(root, encoding="unicode")


def space_row(row: ElementTree.Element) -> None:
    """A thin space around the names of functions; none after a minus that is a sign."""
    before: ElementTree.Element | None = None
    for node in list(row):
        if before is not None:
            follows = is_function(node) and (not is_a(before, "mo", "mspace") or before.text == ")")
            if follows or (is_function(before) and not opens(node)):
                insert_space(row, node)
        if node.text == "−" and (before is None or before.text in {"(", "[", "=", ","}):
            node.attrib |= {"form": "prefix", "lspace": "0", "rspace": "0"}
        before = node


def insert_space(row: ElementTree.Element, node: ElementTree.Element) -> None:
    """A thin space in front of a node."""
    space = ElementTree.Element(f"{{{NAMESPACE}}}mspace", width="0.17em")
    row.insert(list(row).index(node), space)


def is_function(node: ElementTree.Element) -> bool:
    """Whether it is the name of a function, with or without an index."""
    scripted = is_a(node, "msub", "munder", "msup") and len(node)
    return (node[0] if scripted else node).text in FUNCTIONS


def opens(node: ElementTree.Element) -> bool:
    """Whether it begins with a bracket, or ends what came before."""
    return node.text in {"(", "[", ")", "]", ","} or (
        is_a(node, "mrow") and len(node) > 0 and node[0].text in {"(", "["}
    )


def lower_prime(row: ElementTree.Element) -> None:
    """A prime is raised by its own shape: not once more by being an exponent."""
    if is_a(row, "msup") and len(row) == 2 and "".join(row[1].itertext()) == "′":
        row.tag = f"{{{NAMESPACE}}}mrow"
        row.remove(row[1])
        prime = ElementTree.SubElement(row, f"{{{NAMESPACE}}}mo", lspace="0", rspace="0")
        prime.text = "′"


def merge_letters(row: ElementTree.Element) -> None:
    r"""What \mathrm{KL} came out as, letter by letter, made one word."""
    letters = list(row)
    upright = [is_a(x, "mi") and x.get("mathvariant") == "normal" and len(x.text) == 1 for x in row]
    if is_a(row, "mrow") and len(letters) > 1 and all(upright):
        word = "".join(str(letter.text) for letter in letters)
        for letter in letters:
            row.remove(letter)
        row.tag, row.text = f"{{{NAMESPACE}}}mi", word


def is_a(node: ElementTree.Element, *names: str) -> bool:
    """Whether it is one of these elements of MathML."""
    return node.tag.removeprefix(f"{{{NAMESPACE}}}") in names


def with_references(html: str) -> str:
    """Numbers of equations in running text, made links."""
    inside: list[str] = []
    out = []
    for piece in re.split(r"(<[^>]*>)", html):
        if piece.startswith("<"):
            name = re.match(r"</?([a-z0-9]*)", piece)
            if name and name[1] in {"pre", "code", "a", "math", "summary"}:
                inside = inside[:-1] if piece.startswith("</") else [*inside, name[1]]
        elif not inside:
            piece = NUMBER.sub(reference, piece)
        out.append(piece)
    return "".join(out)


def reference(match: re.Match[str]) -> str:
    """A link to an equation."""
    page = CHAPTERS[int(match[1])]
    place = f"{page}.html#eq-{match[1]}-{match[2]}"
    return f'<a class="equation-link" href="{place}">{match[0]}</a>'
