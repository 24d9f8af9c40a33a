"""The pages of docs/mathematics: no equation without its check, and no check that sees nothing.

`test_readme.py` runs the pages as they are. Here they are read: each displayed equation has a
number and, before the next heading's equations go on, a block that checks that number. And they
are run with errors planted: every plus and minus in a check is changed into the other.
"""

import ast
import copy
import importlib.util
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / "docs" / "mathematics").glob("*.md"))
RESULT = json.loads((ROOT / "benchmarks" / "results" / "mathematics.json").read_text())
#: What the table of training.md is made from.
STARTS = json.loads((ROOT / "benchmarks" / "results" / "starts.json").read_text())["sets"]
#: Of the table of ignoring.md.
TEXTS = json.loads((ROOT / "benchmarks" / "results" / "texts.json").read_text())["seeds"]
#: Of the paragraph below it.
LONGER = json.loads((ROOT / "benchmarks" / "results" / "texts-eight-epochs.json").read_text())

DISPLAY = re.compile(r"^\$\$(.*?)\$\$$", re.MULTILINE | re.DOTALL)
TAG = re.compile(r"\\tag\{(\d+\.\d+)\}\s*$")
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
#: The calls that check an equation, whose number is one of their arguments.
CHECKS = {"check_close", "assert_mean", "assert_frequencies"}


#: Marks a line whose sign is free by what the equation says, or by a symmetry.
EITHER_SIGN = "# either sign"


@dataclass(frozen=True)
class Equation:
    number: str


@dataclass(frozen=True)
class Block:
    line: int
    code: str


def parts(text: str) -> list[Equation | Block]:
    """Equations and blocks in the order of the page."""
    found: list[tuple[int, Equation | Block]] = []
    for match in DISPLAY.finditer(text):
        tag = TAG.search(match[1])
        assert tag, f"an equation without a number: {match[1]}"
        found.append((match.start(), Equation(tag[1])))
    for match in BLOCK.finditer(text):
        found.append((match.start(), Block(text[: match.start()].count("\n") + 1, match[1])))
    return [part for _, part in sorted(found, key=lambda pair: pair[0])]


def checked(code: str) -> set[str]:
    """The numbers whose check the block is sure to run: in its statements, loops over literals."""
    numbers = set()
    todo: list[ast.stmt] = list(ast.parse(code).body)
    for statement in todo:
        words: list[ast.expr] = []
        if isinstance(statement, ast.For | ast.With):
            todo += statement.body  # appended while it is gone through: read as well
        elif isinstance(statement, ast.Assert) and statement.msg is not None:
            words = [statement.msg]
        elif isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
            call = statement.value
            if isinstance(call.func, ast.Name) and call.func.id in CHECKS:
                words = [*call.args, *(keyword.value for keyword in call.keywords)]
        for word in words:
            if isinstance(word, ast.Constant) and isinstance(word.value, str):
                numbers |= set(re.findall(r"^\((\d+\.\d+)\)$", word.value))
    return numbers


def complaints(text: str) -> list[str]:
    """What is wrong with the order of equations and checks."""
    found, open_ = [], set()
    for part in parts(text):
        if isinstance(part, Equation):
            open_.add(part.number)
        elif numbers := checked(part.code):
            found += [f"({n}) is not checked where it stands" for n in sorted(open_ - numbers)]
            found += [f"({n}) is checked but not shown above" for n in sorted(numbers - open_)]
            open_ = set()
    return found + [f"({n}) has no check" for n in sorted(open_)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_equation_has_a_number_and_its_check_beside_it(page: Path) -> None:
    text = page.read_text()
    assert complaints(text) == []
    numbers = [part.number for part in parts(text) if isinstance(part, Equation)]
    assert numbers, "a page of mathematics without an equation"
    chapter = (re.search(r"^# (\d+)\. ", text) or ["", "0"])[1]
    assert numbers == [f"{chapter}.{n}" for n in range(1, len(numbers) + 1)]
    assert text.count("<details") == text.count("</details>")
    summaries = re.findall(r"<summary>(.*?)</summary>", text)
    assert all(summary.startswith("Check (") for summary in summaries)


EQUATION = "$$a = b \\tag{1.1}$$\n"
CHECK = '```python\ncheck_close(a, b, "(1.1)")\n```\n'
WANTING = [
    (EQUATION, "(1.1) has no check"),
    (EQUATION + CHECK.replace("1.1", "1.2"), "(1.1) is not checked where it stands"),
    (EQUATION + CHECK.replace("check_close", "print"), "(1.1) has no check"),
    (EQUATION + CHECK.replace("check_close", "if a:\n    check_close"), "(1.1) has no check"),
    (EQUATION + '```python\n# "(1.1)"\n```\n', "(1.1) has no check"),
    (CHECK, "(1.1) is checked but not shown above"),
]


@pytest.mark.parametrize(("text", "complaint"), WANTING)
def test_an_equation_without_its_check_is_seen(text: str, complaint: str) -> None:
    assert complaint in complaints(text)


def test_an_equation_without_a_number_is_seen() -> None:
    assert complaints(EQUATION + CHECK) == []
    with pytest.raises(AssertionError, match="without a number"):
        complaints("$$a = b$$\n" + CHECK)


# --- errors planted in the checks


class Flip(ast.NodeTransformer):
    """Change the sign of one place of a block, the `place`-th, from plus to minus or back."""

    def __init__(self, place: int) -> None:
        self.place, self.seen, self.line = place, 0, 0

    def _here(self, node: ast.expr) -> bool:
        self.seen += 1
        if self.seen - 1 == self.place:
            self.line = node.lineno
            return True
        return False

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        self.generic_visit(node)
        if isinstance(node.op, ast.Add | ast.Sub) and self._here(node):
            node.op = ast.Sub() if isinstance(node.op, ast.Add) else ast.Add()
        return node

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.expr:
        if isinstance(node.operand, ast.Constant):
            return node  # -1 is a name for a last axis, a number or an end, not a step
        self.generic_visit(node)
        if isinstance(node.op, ast.USub) and self._here(node):
            return node.operand
        return node

    def visit_Subscript(self, node: ast.Subscript) -> ast.Subscript:
        return node  # an index is no mathematics


def planted(code: str) -> Iterator[tuple[int, ast.Module]]:
    """The block with one sign changed, and the line of the change."""
    place = 0
    while True:
        flip = Flip(place)
        tree = ast.fix_missing_locations(flip.visit(ast.parse(code)))
        if flip.line == 0:
            return
        yield flip.line, tree
        place += 1


def run(code: ast.Module | str, names: dict) -> None:
    torch.manual_seed(0)
    exec(compile(code, "page", "exec"), names)


def survivors(text: str) -> tuple[int, list[str]]:
    """How many signs were changed, and the places where nothing noticed."""
    names: dict = {"__name__": "page"}
    count, alive = 0, []
    for part in parts(text):
        if not isinstance(part, Block):
            continue
        for line, tree in planted(part.code) if checked(part.code) else ():
            count += 1
            try:
                run(tree, copied(names))
            except Exception:
                continue
            code = part.code.splitlines()[line - 1].strip()
            if EITHER_SIGN in code:
                continue
            alive.append(f"line {part.line + line}: {code}")
        run(part.code, names)
    return count, alive


def copied(names: dict) -> dict:
    """The names as they are, models as copies: a block may write into their parameters."""
    return {
        name: copy.deepcopy(value) if isinstance(value, torch.nn.Module) else value
        for name, value in names.items()
    }


@pytest.mark.filterwarnings("ignore")  # of what is wrong on purpose
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_changed_sign_makes_a_check_fail(page: Path) -> None:
    count, alive = survivors(page.read_text())
    assert alive == []
    assert count, "no sign was changed"


def test_few_signs_are_free() -> None:
    assert sum(page.read_text().count(EITHER_SIGN) for page in PAGES) <= 4


def test_a_check_that_sees_nothing_is_seen() -> None:
    blind = "```python\nfrom lowerbound.testing import check_close\nimport torch\n"
    blind += 'a = torch.ones(1)\nb = a + a\ncheck_close(a, a, "(1.1)")\n```\n'
    assert survivors(EQUATION + blind) == (1, ["line 6: b = a + a"])


# --- figures and numbers


def load_figures():
    spec = importlib.util.spec_from_file_location("figures", ROOT / "tools" / "figures.py")
    figures = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(figures)
    return figures


def test_the_figures_are_those_of_the_result() -> None:
    drawn = dict(load_figures().files())
    assert set(drawn) == set((ROOT / "docs" / "mathematics" / "images").iterdir())
    shown = "".join(page.read_text() for page in PAGES)
    for path, text in drawn.items():
        assert path.read_text() == text, f"{path.name}: run tools/figures.py"
        assert f"](images/{path.name})" in shown


def values(tree: object) -> Iterator[float]:
    """Every number of a result."""
    if isinstance(tree, dict):
        tree = list(tree.values())
    if isinstance(tree, list):
        for branch in tree:
            yield from values(branch)
    elif isinstance(tree, int | float):
        yield float(tree)


def unfounded(text: str) -> list[str]:
    """Decimal numbers of the prose that no value of the result rounds to."""
    prose = DISPLAY.sub("", BLOCK.sub("", text))
    prose = re.sub(r"\[[^]]*\]\([^)]*\)|\(\d+\.\d+\)|\$[^$]*\$|`[^`]*`", " ", prose)
    known = [*values(RESULT), *(abs(bound) for bound in values([STARTS, TEXTS, LONGER["seeds"]]))]
    return [
        word
        for word in re.findall(r"(?<![\d.])\d+\.\d{2,}(?!\.?\d)", prose)
        if not any(f"{value:.{len(word.split('.')[1])}f}" == word for value in known)
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_number_of_the_prose_stands_in_the_result(page: Path) -> None:
    assert unfounded(page.read_text()) == []


def test_a_number_out_of_thin_air_is_seen() -> None:
    assert unfounded("These are 0.5108 and 0.1234 nats, as in (2.8).") == ["0.1234"]


def test_the_worked_example_is_still_what_it_was() -> None:
    benchmark = ROOT / "benchmarks" / "mathematics.py"
    assert "def coins()" in benchmark.read_text()
    assert RESULT["coins"] == {"kl_q_p": 0.510826, "kl_p_q": 0.368064}
    for row in RESULT["variance"]["rows"]:
        for name in ("reparameterised", "score", "score_with_baseline"):
            assert row[f"measured_{name}"] == pytest.approx(row[name], rel=0.1)


# --- the algorithm, line by line


LINKED = re.compile(r"\[`([^`]+)`\]\(\.\./\.\./examples/vae_in_100_lines\.py#L(\d+)\)")


def test_the_lines_of_the_algorithm_are_where_their_links_lead() -> None:
    program = (ROOT / "examples" / "vae_in_100_lines.py").read_text().splitlines()
    links = LINKED.findall((ROOT / "docs" / "mathematics" / "training.md").read_text())
    assert len(links) >= 10
    for code, line in links:
        assert program[int(line) - 1].split("  #")[0].strip() == code
