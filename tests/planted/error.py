"""A check is trusted after it has failed on a planted error, and passed without it."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Planted:
    """An error, and the check that must see it.

    Args:
        words: What is wrong, in words.
        check: A function that raises AssertionError when something is.
        says: A regular expression that its message must contain, so that it fails for the reason.
        wrong: What is given to the check, with the error in it.
        right: The same without the error, which must pass: a check that refuses everything would
            catch every error, too.

    Example:
        >>> import torch
        >>> from lowerbound.testing import assert_mean
        >>> entry = Planted(
        ...     "the mean is one",
        ...     lambda x: assert_mean(x, 0.0, resolves=0.5),
        ...     "is 1",
        ...     wrong=torch.tensor([0.9, 1.1] * 50),
        ...     right=torch.tensor([-0.1, 0.1] * 50),
        ... )
        >>> entry.must_be_caught()
    """

    words: str
    check: Callable[[Any], None]
    says: str
    wrong: Any
    right: Any

    def must_be_caught(self) -> None:
        """Run the check on both.

        Raises:
            AssertionError: The error is missed, or seen for another reason, or something is found
                where nothing is wrong.
        """
        false_alarm = self.message(self.right)
        if false_alarm is not None:
            raise AssertionError(f"without the error that {self.words}: {false_alarm}")
        found = self.message(self.wrong)
        if found is None:
            raise AssertionError(f"not caught: {self.words}")
        if not self.is_reason(found):
            raise AssertionError(f"'{self.words}' is caught, but by: {found}")

    def message(self, part: Any) -> str | None:
        """What the check says of a part; None where it finds nothing."""
        try:
            self.check(part)
        except AssertionError as error:
            return str(error)
        return None

    def is_reason(self, message: str) -> bool:
        """Whether a message names this error."""
        return re.search(self.says, message) is not None
