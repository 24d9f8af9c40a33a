"""No import circles in src, annotations included: what depends on each other is one module."""

import sys
from collections.abc import Mapping, Set
from pathlib import Path

import grimp

#: Circles that are still there: none.
KNOWN: set[frozenset[str]] = set()


def imports_of(package: str) -> dict[str, set[str]]:
    """Which modules each module imports anywhere: in functions and for type checkers, too."""
    graph = grimp.build_graph(package, exclude_type_checking_imports=False, cache_dir=None)
    return {name: set(graph.find_modules_directly_imported_by(name)) for name in graph.modules}


def circles(imports: Mapping[str, Set[str]]) -> set[frozenset[str]]:
    """Groups of modules of which each leads to each other."""
    reached = {name: reachable(imports, name) for name in imports}
    groups = {
        frozenset(other for other in reached[name] if name in reached[other]) for name in imports
    }
    return {group for group in groups if group}


def reachable(imports: Mapping[str, Set[str]], start: str) -> set[str]:
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        new = imports[waiting.pop()] - seen
        seen |= new
        waiting += new
    return seen


def test_modules_do_not_import_each_other_in_a_circle() -> None:
    found = circles(imports_of("lowerbound"))
    named = {frozenset(name.removeprefix("lowerbound.") for name in group) for group in found}
    assert not named - KNOWN, "a new circle: move what both need below both"
    assert not KNOWN - named, "mended: take it out of KNOWN"


def test_a_planted_circle_is_seen(tmp_path: Path, monkeypatch) -> None:
    """By annotations alone, inside a function, and through a package that exports a part."""
    package = tmp_path / "circling"
    (package / "parts").mkdir(parents=True)
    for name, text in {
        "__init__": "",
        "one": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from circling import two",
        "two": "def f():\n    from circling.one import g",
        "alone": "from circling import one, two",
        "parts/__init__": "from circling.parts import inner",
        "parts/inner": "from circling.parts.other import x",
        "parts/other": "from circling.parts import inner",
        "parts/good": "from circling.parts.inner import x",
        "user": "from circling.parts import inner",
        "parts/outer": "from circling.above import x",
        "above": "from circling.parts.below import x",
        "parts/below": "from circling.parts.outer import x",
    }.items():
        (package / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    found = circles(imports_of("circling"))
    assert found == {
        frozenset({"circling.one", "circling.two"}),
        frozenset({"circling.parts.inner", "circling.parts.other"}),
        frozenset({"circling.parts.outer", "circling.above", "circling.parts.below"}),
    }
    assert "circling" not in sys.modules  # it is read, not run
