"""The rules of the house: what may stand in src, what an import may do, what is documented.

Each check of source text is a function from a tree to complaints, seen to find a planted error.
"""

import ast
import inspect
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import lowerbound

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "lowerbound"
SOURCES = sorted(PACKAGE.rglob("*.py"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())

LONGEST = 500
PICKLES = {"pickle", "_pickle", "cPickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"}
IMPORT_NAMES = {"pillow": "PIL", "scikit-learn": "sklearn"}


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def imported(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and full name of every module imported anywhere in the tree."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.lineno, str(node.module)


def calls(tree: ast.AST) -> Iterator[tuple[int, str, dict[str, ast.expr]]]:
    """Line, dotted name and keywords of every call."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            keywords = {keyword.arg: keyword.value for keyword in node.keywords if keyword.arg}
            yield node.lineno, ast.unparse(node.func), keywords


def is_constant(value: ast.expr | None, constant: bool) -> bool:
    return isinstance(value, ast.Constant) and value.value is constant


def unsafe(tree: ast.AST) -> list[str]:
    """Everything that could run code which came with a file."""
    found = [
        f"line {line}: imports {name}, and a pickle runs code"
        for line, name in imported(tree)
        if name.split(".")[0] in PICKLES
    ]
    for line, name, keywords in calls(tree):
        if name in {"eval", "exec", "builtins.eval", "builtins.exec"}:
            found.append(f"line {line}: {name}")
        elif name == "torch.load" and not is_constant(keywords.get("weights_only"), True):
            found.append(f"line {line}: torch.load without weights_only=True")
        elif name == "torch.save":
            found.append(f"line {line}: torch.save writes a pickle; use safetensors")
        elif name.endswith("read_pickle"):
            found.append(f"line {line}: {name}")
        elif "allow_pickle" in keywords and not is_constant(keywords["allow_pickle"], False):
            found.append(f"line {line}: allow_pickle")
    return found


def asserts(tree: ast.AST) -> list[str]:
    """`python -O` removes them: a user's input is refused with an error that says what to do."""
    lines = sorted(node.lineno for node in ast.walk(tree) if isinstance(node, ast.Assert))
    return [f"line {line}: assert" for line in lines]


def global_changes(tree: ast.AST) -> list[str]:
    """Calls that reach beyond the caller's own objects, wherever they stand."""
    banned = re.compile(
        r"torch\.(set_default_\w+|set_num_threads|use_deterministic_algorithms"
        r"|set_float32_matmul_precision)|(np|numpy)\.(random\.seed|seterr)|random\.seed"
        r"|(\w+\.)*Distribution\.set_default_validate_args"
    )
    return [f"line {line}: {name}" for line, name, _ in calls(tree) if banned.fullmatch(name)]


def through_the_root(tree: ast.AST) -> list[str]:
    """Imports of a public name from `lowerbound`: they would slip past the layers."""
    modules = {path.stem for path in PACKAGE.iterdir()}
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names if alias.name == "lowerbound"]
        elif isinstance(node, ast.ImportFrom) and node.module == "lowerbound" and not node.level:
            names = [alias.name for alias in node.names if alias.name not in modules]
        else:
            continue
        found += [f"line {node.lineno}: {name} from the package's root" for name in names]
    return found


def relative(tree: ast.AST) -> list[str]:
    nodes = (node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.level)
    return [f"line {node.lineno}: relative import" for node in nodes]


def complaints(check, paths: list[Path]) -> str:
    return "\n".join(
        f"{path.relative_to(ROOT)} {complaint}"
        for path in paths
        for complaint in check(tree_of(path))
    )


# --- what stands in src


def test_loading_a_file_never_runs_its_code() -> None:
    assert not complaints(unsafe, SOURCES)


def test_src_has_no_assert_statement() -> None:
    assert not complaints(asserts, SOURCES)


def test_no_function_changes_the_process() -> None:
    library = [path for path in SOURCES if path.relative_to(PACKAGE).parts[0] not in {"cli", "web"}]
    # for the length of a block, which puts back what it found: see tests/training/test_execution.py
    scoped = PACKAGE / "training" / "forward.py"
    assert complaints(global_changes, [scoped])
    library = [path for path in library if path != scoped]
    assert not complaints(global_changes, library)  # a command owns its process


def test_modules_import_each_other_by_their_own_names() -> None:
    below = [
        path
        for path in SOURCES
        if path.relative_to(PACKAGE).parts[0] not in {"cli", "web", "testing", "__main__.py"}
    ]
    assert not complaints(through_the_root, below)
    assert not complaints(relative, SOURCES)


def test_no_file_is_longer_than_one_idea() -> None:
    paths = [*SOURCES, *(ROOT / "tests").rglob("*.py"), *(ROOT / "examples").rglob("*.py")]
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in paths}
    assert not {path: length for path, length in lengths.items() if length > LONGEST}


def test_src_imports_only_what_it_depends_on() -> None:
    project = PROJECT["project"]
    extras = project["optional-dependencies"]
    needed = [*project["dependencies"]]
    needed += [one for name in ("web", "music", "onnx", "cells") for one in extras.get(name, ())]
    names = [re.split(r"[<>=!~;\[ ]", requirement)[0] for requirement in needed]
    allowed = {IMPORT_NAMES.get(name, name) for name in names}
    allowed |= {"lowerbound"} | sys.stdlib_module_names
    strangers = {
        f"{path.relative_to(ROOT)} line {line}: {name}"
        for path in SOURCES
        for line, name in imported(tree_of(path))
        if name.split(".")[0] not in allowed
    }
    assert not strangers


def test_every_package_of_src_is_a_package() -> None:
    folders = {path.parent for path in SOURCES}
    assert not [folder for folder in folders if not (folder / "__init__.py").exists()]


PLANTED = [
    (unsafe, "import pickle"),
    (unsafe, "def f():\n    from pickle import loads"),
    (unsafe, "import joblib.numpy_pickle"),
    (unsafe, "torch.load(path)"),
    (unsafe, "torch.load(path, weights_only=False)"),
    (unsafe, "torch.save(state, path)"),
    (unsafe, "np.load(path, allow_pickle=True)"),
    (unsafe, "x = eval(text)"),
    (unsafe, "exec(text)"),
    (asserts, "def f(x):\n    if x:\n        assert x > 0"),
    (global_changes, "torch.set_default_dtype(torch.float64)"),
    (global_changes, "np.random.seed(0)"),
    (global_changes, "torch.distributions.Distribution.set_default_validate_args(False)"),
    (through_the_root, "from lowerbound import VAE"),
    (through_the_root, "import lowerbound"),
    (relative, "from .errors import DataError"),
]
HARMLESS = [
    (unsafe, "model.eval()\ntorch.load(path, weights_only=True)\nnp.load(p, allow_pickle=False)"),
    (unsafe, "# pickle, eval(x)\nname = 'pickle.loads'"),
    (asserts, "raise AssertionError('posterior is wrong')"),
    (global_changes, "generator.manual_seed(0)\ntorch.get_num_threads()"),
    (through_the_root, "from lowerbound import errors\nfrom lowerbound.errors import DataError"),
]


@pytest.mark.parametrize(("check", "text"), PLANTED)
def test_a_planted_breach_is_seen(check, text: str) -> None:
    assert len(check(ast.parse(text))) == 1


@pytest.mark.parametrize(("check", "text"), HARMLESS)
def test_what_only_looks_like_a_breach_is_left_alone(check, text: str) -> None:
    assert check(ast.parse(text)) == []


# --- what is documented


def undocumented(name: str, value: object) -> bool:
    """Whether it says nothing of its own: inherited words and a dataclass's signature are none."""
    if inspect.isclass(value):
        words = value.__dict__.get("__doc__") or ""
        return not words.strip() or words.startswith(f"{value.__name__}(")
    if callable(value) or inspect.ismodule(value):
        return not (value.__doc__ or "").strip()
    return (
        name != "__version__"
    )  # a plain value cannot say what it is: make it a function or a class


def test_every_public_name_says_what_it_is() -> None:
    assert lowerbound.__all__, "lowerbound exports nothing"
    assert not [n for n in lowerbound.__all__ if undocumented(n, getattr(lowerbound, n))]


def test_every_module_says_what_it_is() -> None:
    silent = [path for path in SOURCES if not ast.get_docstring(tree_of(path))]
    assert not [str(path.relative_to(ROOT)) for path in silent]


def test_public_names_are_listed_once_and_shown() -> None:
    names = list(lowerbound.__all__)
    assert len(names) == len(set(names))
    assert set(names) <= set(dir(lowerbound))


def test_an_unknown_public_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = lowerbound.no_such_name


def test_undocumented_names_are_seen() -> None:
    class Parent:
        """Words."""

    class Child(Parent):
        pass

    def documented() -> None:
        """Words."""

    assert undocumented("Child", Child)
    assert undocumented("lambda", lambda: None)
    assert undocumented("constant", 3)
    assert not undocumented("Parent", Parent)
    assert not undocumented("documented", documented)


def test_the_version_is_said_once() -> None:
    version = lowerbound.__version__
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text()
    assert f"## [{version}]" in (ROOT / "CHANGELOG.md").read_text()


# --- what an import does: each in a process of its own


def python(script: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=200, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


# The libraries come first: what they do to the process on import is theirs.
STATE = """
import json, logging, os, random, sys
import jinja2, numpy, PIL.Image, rich, safetensors.torch, torch, typer
import scipy.stats, sklearn.linear_model

def state():
    return {
        "dtype": str(torch.get_default_dtype()),
        "device": str(torch.get_default_device()),
        "torch random state": torch.get_rng_state().tolist(),
        "numpy random state": repr(numpy.random.get_state()),
        "random state": repr(random.getstate()),
        "validation": torch.distributions.Distribution._validate_args,
        "threads": [torch.get_num_threads(), torch.get_num_interop_threads()],
        "gradients": torch.is_grad_enabled(),
        "determinism": torch.are_deterministic_algorithms_enabled(),
        "matmul": torch.get_float32_matmul_precision(),
        "numpy errors": numpy.geterr(),
        "environment": dict(os.environ),
        "logging": [logging.getLogger().level, len(logging.getLogger().handlers)],
        "hooks": [repr(sys.excepthook), repr(sys.displayhook), sys.getrecursionlimit()],
    }

before = state()
"""
CHANGED = """
after = state()
print(json.dumps([name for name in before if before[name] != after[name]]))
"""
IMPORT_ALL = """
import importlib, pkgutil
import lowerbound
for name in lowerbound.__all__:
    getattr(lowerbound, name)
for module in pkgutil.walk_packages(lowerbound.__path__, "lowerbound."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
"""


def changed_by(script: str) -> list[str]:
    return json.loads(python(STATE + script + CHANGED).splitlines()[-1])


def test_importing_everything_changes_nothing_in_the_process() -> None:
    assert changed_by(IMPORT_ALL) == []


@pytest.mark.slow
def test_a_planted_change_of_the_process_is_seen() -> None:
    planted = """
torch.set_default_dtype(torch.float64)
torch.distributions.Distribution.set_default_validate_args(False)
torch.set_num_threads(torch.get_num_threads() + 1)
torch.rand(1)
numpy.random.rand()
os.environ["PLANTED"] = "1"
"""
    assert set(changed_by(planted)) == {
        "dtype", "validation", "threads", "torch random state", "numpy random state", "environment",
    }  # fmt: skip


HELP = """
import sys
sys.argv = ["lowerbound", *{arguments}]
from lowerbound.cli import main
try:
    code = main()
except SystemExit as done:
    code = done.code
if code:
    sys.exit(f"ended with {{code}}")
print("HEAVY", sorted({{"torch", "sklearn", "scipy", "PIL"}} & set(sys.modules)))
"""


@pytest.mark.parametrize("arguments", [["--help"], ["--version"]], ids=" ".join)
def test_help_does_not_wait_for_torch(arguments: list[str]) -> None:
    assert python(HELP.format(arguments=arguments)).splitlines()[-1] == "HEAVY []"


def test_importing_the_package_alone_does_not_import_torch() -> None:
    assert python("import sys, lowerbound; print('torch' in sys.modules)").strip() == "False"
