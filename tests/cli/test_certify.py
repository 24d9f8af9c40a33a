"""`lowerbound certify`: its table, its files, parts of one's own, and its exit codes."""

import json
from pathlib import Path

import pytest

from lowerbound.testing import PRIORS

MINE = """
import math
from lowerbound.distributions import Independent
from lowerbound.likelihoods import Bernoulli
from lowerbound.objectives import ELBO
from lowerbound.posteriors import DiagonalGaussian
from lowerbound.priors import StandardNormal


class Wrong(StandardNormal):
    def forward(self, context=None):
        law = super().forward(context)
        law.__class__ = NoConstant
        return law


class NoConstant(Independent):
    def log_prob(self, value, observed=None):
        return super().log_prob(value) + 0.5 * self.event_shape[0] * math.log(2 * math.pi)


class Coins(Bernoulli):
    pass


class Bound(ELBO):
    pass


class Encoder(DiagonalGaussian):
    pass


bound = ELBO(2)
prior = StandardNormal(2)
"""


def test_a_kind_is_certified_in_a_table_that_fits(lowerbound) -> None:
    done = lowerbound("certify", "priors")
    assert done.code == 0 and done.err == ""
    for name in PRIORS:
        assert name in done.out
    assert "passed" in done.out and f"{len(PRIORS)} of {len(PRIORS)} parts passed" in done.out
    assert max(map(len, done.out.splitlines()[:-1])) <= 80


def test_json_has_every_figure(lowerbound) -> None:
    found = json.loads(lowerbound("certify", "StandardNormal", "ELBO", "--json").out)
    assert found["failed"] == 0
    assert [part["name"] for part in found["parts"]] == ["StandardNormal", "ELBO"]
    assert set(found["parts"][0]) == {
        "name", "kind", "identities", "nats", "standard_errors", "seconds", "failure",
    }  # fmt: skip


@pytest.mark.parametrize("name", ["table.md", "table.json"])
def test_the_table_is_written_and_nothing_is_overwritten(lowerbound, name: str) -> None:
    assert lowerbound("certify", "StandardNormal", "--out", name).code == 0
    text = Path(name).read_text()
    assert "StandardNormal" in text
    if name.endswith(".json"):
        assert json.loads(text)["failed"] == 0
    else:
        assert text.startswith("| part | kind | checked |")
    done = lowerbound("certify", "StandardNormal", "--out", name)
    assert done.code == 1 and "--force" in done.err


def test_parts_of_ones_own_are_certified(lowerbound) -> None:
    Path("mine_certified.py").write_text(MINE)
    names = [f"mine_certified:{name}" for name in ("Coins", "Bound", "bound")]
    done = lowerbound("certify", *names)
    assert done.code == 0 and "3 of 3 parts passed" in done.out
    done = lowerbound("certify", "mine_certified:Encoder", "--as", "posterior")
    assert done.code == 0


def test_a_failing_part_is_explained_and_ends_with_one_line_and_code_one(lowerbound) -> None:
    Path("mine_wrong.py").write_text(MINE)
    done = lowerbound("certify", "mine_wrong:Wrong", "ELBO", "--as", "prior", "--out", "t.md")
    assert done.code == 1
    assert done.err == "error: 1 of 2 failed: mine_wrong:Wrong\n"
    assert "FAILED" in done.out and "a constant" in done.out and "passed" in done.out
    assert "FAILED" in Path("t.md").read_text()


MISUSES = [
    (["certify", "StandardNormall"], "did you mean 'StandardNormal'?"),
    (["certify", "no_such_module:Part"], "no module 'no_such_module'"),
    (["certify", "math:Part", "--as", "prior"], "no part in math 'Part'"),
    (["certify", "math:sqrt"], "say --as prior, posterior, likelihood or objective"),
    (["certify", "math:sqrt", "--as", "priors"], "did you mean 'prior'?"),
    (["certify", "math:pi", "--as", "prior"], "must be a class or a function"),
    (["certify", ":"], "MODULE:NAME"),
    (["certify", "priors", "--as", "prior"], "there is none"),
    (["certify", "priors", "--planted"], "leave out PART"),
    (["certify", "priors", "--out", "t.png"], "choose .json, .md"),
]


@pytest.mark.parametrize(("arguments", "words"), MISUSES, ids=str)
def test_a_misuse_is_one_line(lowerbound, arguments: list[str], words: str) -> None:
    done = lowerbound(*arguments)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("error: ") and done.err.count("\n") == 1
    assert words in done.err


def test_planted_errors_are_counted_and_a_missed_one_fails(lowerbound, monkeypatch) -> None:
    from planted import Subject

    def check_positive(number: float) -> None:
        if number <= 0:
            raise AssertionError(f"{number} is not positive")

    numbers = Subject("numbers", {"positive": check_positive})
    numbers.enter("the sign is lost", "positive", "not positive", -3, 3)
    monkeypatch.setattr("planted.run.subjects", lambda: (numbers,))
    done = lowerbound("certify", "--planted", "--out", "planted.md")
    assert done.code == 0 and "1 errors planted, 1 caught, 0 missed" in done.out
    assert "| numbers | positive | the sign is lost | caught |" in Path("planted.md").read_text()
    numbers.enter("nothing is wrong", "positive", "not positive", 4, 3)
    done = lowerbound("certify", "--planted", "--json")
    assert done.code == 1 and "1 of 2 missed: positive: nothing is wrong" in done.err
    found = json.loads(done.out)
    assert (found["planted"], found["caught"], found["missed"]) == (2, 1, 1)


def test_without_a_checkout_one_line_says_where_the_planted_errors_are(
    lowerbound, monkeypatch, tmp_path
) -> None:
    monkeypatch.setattr("lowerbound.cli.certificates.TESTS", tmp_path)
    done = lowerbound("certify", "--planted")
    assert (done.code, done.out, done.err.count("\n")) == (1, "", 1)
    assert "tests/planted" in done.err and "pip install -e ." in done.err


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("raises", "raise ValueError('two', 'words')", "cannot be imported: ValueError"),
        ("malformed", "def f(:", "cannot be imported: SyntaxError"),
        ("leaves", "import sys; sys.exit(7)", "cannot be imported: SystemExit: 7"),
        ("lacks", "import no_such_thing_at_all", "imports 'no_such_thing_at_all'"),
    ],
)
def test_a_module_that_fails_when_it_is_imported_says_why(
    lowerbound, monkeypatch, tmp_path: Path, name: str, text: str, says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / f"{name}_when_imported.py").write_text(text)
    done = lowerbound("certify", f"{name}_when_imported:Thing", "--as", "prior")
    assert done.code not in (0, 7)
    assert says in done.err and done.err.count("\n") == 1
