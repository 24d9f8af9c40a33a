"""The checks are checked: each error of the corpus is planted, and a check must say so.

The corpus is the package tests/planted; the same part without the error must pass.
"""

import pytest

from lowerbound.testing.advice import rule_of
from planted import Planted, Subject, subjects, try_corpus

ERRORS = {
    f"{subject.name}, {key}": error
    for subject in subjects()
    for key, error in subject.errors.items()
}
NAMED = [
    "wrong scale", "swapped terms", "detached entropy", "shared noise", "missing log K",
    "averaged instead of summed", "ignored mask", "dropped constant", "missing Jacobian",
]  # fmt: skip

# what passes for one error passes for all that are planted in the same part
ALARMS: dict[tuple[int, int], str | None] = {}


def test_there_are_planted_errors_for_every_check_of_every_subject():
    assert len(ERRORS) >= 200
    for subject in subjects():
        assert {key.split(":")[0] for key in subject.errors} == set(subject.checks), subject.name


@pytest.mark.parametrize("words", NAMED)
def test_the_errors_that_everybody_makes_are_planted_by_name(words: str):
    assert [error for error in ERRORS.values() if error.words.startswith(words)]


@pytest.mark.parametrize("name", ERRORS)
def test_a_planted_error_is_caught_by_a_named_check(name: str):
    error = ERRORS[name]
    pair = (id(error.check), id(error.right))
    if pair not in ALARMS:
        ALARMS[pair] = error.message(error.right)
    assert ALARMS[pair] is None
    message = error.message(error.wrong)
    assert message is not None, f"not caught: {error.words}"
    assert error.is_reason(message), f"'{error.words}' is caught, but by: {message}"
    assert rule_of(message) is not None, f"nothing explains: {message}"


def check_positive(number: float) -> None:
    if number <= 0:
        raise AssertionError(f"{number} is not positive")


@pytest.mark.parametrize(
    ("says", "wrong", "right", "words"),
    [
        ("not positive", 3, 5, "not caught: the sign is lost"),
        ("not even", -3, 5, "is caught, but by: -3 is not positive"),
        ("not positive", -3, -5, "without the error that the sign is lost: -5 is not positive"),
    ],
)
def test_an_error_that_is_missed_or_caught_for_another_reason_is_told(says, wrong, right, words):
    with pytest.raises(AssertionError, match=words):
        Planted("the sign is lost", check_positive, says, wrong, right).must_be_caught()


def test_an_error_is_planted_once():
    numbers = Subject("numbers", {"positive": check_positive})
    numbers.enter("the sign is lost", "positive", "not positive", -3, 3)
    with pytest.raises(ValueError, match="planted twice"):
        numbers.enter("the sign is lost", "positive", "not positive", -4, 4)


def test_an_outcome_says_whether_an_error_was_caught_and_by_what(monkeypatch):
    numbers = Subject("numbers", {"positive": check_positive})
    numbers.enter("the sign is lost", "positive", "not positive", -3, 3)
    numbers.enter("nothing is wrong", "positive", "not positive", 4, 3)
    monkeypatch.setattr("planted.run.subjects", lambda: (numbers,))
    caught, missed = try_corpus()
    assert (caught.subject, caught.check, caught.caught) == ("numbers", "positive", True)
    assert caught.message == "-3 is not positive"
    assert (missed.words, missed.caught, missed.message) == ("nothing is wrong", False, None)
