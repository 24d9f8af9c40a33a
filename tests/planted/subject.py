"""Where errors are planted: the one way in which each is entered."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from planted.error import Planted

T = TypeVar("T")


class Subject:
    """Errors on one subject, and the checks that must see them.

    Args:
        name: Such as "priors".
        checks: By name; each takes what is checked and raises AssertionError.

    Attributes:
        errors: By "check: words".

    Example:
        >>> def check_positive(number):
        ...     if number <= 0:
        ...         raise AssertionError(f"{number} is not positive")
        >>> numbers = Subject("numbers", {"positive": check_positive})
        >>> numbers.enter("the sign is lost", "positive", "is not positive", wrong=-3, right=3)
        >>> numbers.errors["positive: the sign is lost"].must_be_caught()
    """

    def __init__(self, name: str, checks: Mapping[str, Callable[[Any], None]]) -> None:
        self.name = name
        self.checks = checks
        self.errors: dict[str, Planted] = {}

    def enter(self, words: str, check: str, says: str, wrong: Any, right: Any) -> None:
        """Enter an error: see `Planted`; `check` is the name of one of the checks.

        Raises:
            ValueError: It has been entered before.
        """
        key = f"{check}: {words}"
        if key in self.errors:
            raise ValueError(f"'{key}' is planted twice; give each error words of its own")
        self.errors[key] = Planted(words, self.checks[check], says, wrong, right)

    def plant(
        self, check: str, says: str, right: Any, make: Callable[[Any], Any] | None = None
    ) -> Callable[[T], T]:
        """Enter what is decorated; the first line of its docstring says what is wrong.

        Args:
            check: Name of the check that must see it.
            says: What the check must say.
            right: The same without the error.
            make: From what is decorated to what is checked; itself if None.
        """

        def decorate(thing: T) -> T:
            words = words_of(thing)
            self.enter(words, check, says, thing if make is None else make(thing), right)
            return thing

        return decorate


def words_of(thing: object) -> str:
    """The first line of a docstring, as the middle of a sentence.

    Example:
        >>> words_of(words_of)
        'the first line of a docstring, as the middle of a sentence'
    """
    line = (inspect.getdoc(thing) or "").partition("\n")[0].removesuffix(".")
    return line[:1].lower() + line[1:] if line[1:2].islower() or line[:2] == "A " else line
