"""The exceptions of lowerbound: one line each, both sides and the remedy.

::

    LowerboundError
    ├── DataError          (ValueError)   data that cannot be used: empty, broken, not numbers
    │   └── ShapeError                    data of another shape than the model's
    ├── SupportError       (ValueError)   values that a likelihood gives no probability to
    ├── SettingError       (ValueError)   an impossible value of an option
    │   ├── UnknownNameError              a name that nothing has; names its neighbours
    │   └── FinishedError                 a training to go on with that is finished
    ├── RunError           (ValueError)   a run on disk that cannot be read
    ├── OutputError        (OSError)      a result that cannot be written
    ├── NonFiniteError     (ArithmeticError) training left the numbers behind
    ├── ProcessError       (RuntimeError) processes at one task disagree, or one of them is gone
    └── MissingExtraError  (ImportError)  an optional package is absent; names the extra

`StopTraining` is no error: it ends a training in good order.

Every message is a single line a user can act on. The command line prints it and exits with 1
(2 for `SettingError`: the command was misused).
"""

from collections.abc import Iterable
from difflib import get_close_matches

#: Names of which all are told; of more, the nearest if one is near.
FEW = 4


class LowerboundError(Exception):
    """Any error that lowerbound raises on purpose."""


class DataError(LowerboundError, ValueError):
    """Data that cannot be used, and what to do about it."""


class ShapeError(DataError):
    """Data of another shape than the model was made for."""


class SupportError(LowerboundError, ValueError):
    """Values outside the support of a likelihood, such as grey levels under a Bernoulli."""


class SettingError(LowerboundError, ValueError):
    """An option with an impossible value."""


class UnknownNameError(SettingError):
    """A name that nothing has.

    Args:
        noun: The kind of thing looked for, such as "recipe".
        name: The name as it was given.
        known: The names there are.

    Example:
        >>> raise UnknownNameError("recipe", "vampp", ["vae", "vamp", "iwae", "beta-vae", "vq-vae"])
        Traceback (most recent call last):
        ...
        lowerbound.errors.UnknownNameError: no recipe 'vampp'; did you mean 'vamp'?
        >>> print(UnknownNameError("coin", "peni", ["penny", "cent"]))
        no coin 'peni'; did you mean 'penny'? there are: cent, penny
    """

    def __init__(self, noun: str, name: str, known: Iterable[str]) -> None:
        known = sorted(known)
        near = get_close_matches(name, known, n=1, cutoff=0.5)
        words = [f"did you mean '{near[0]}'?"] if near else []
        if not near or len(known) <= FEW:
            words.append(f"there are: {', '.join(known)}" if known else "there are none")
        super().__init__(f"no {noun} {name!r}; {' '.join(words)}")


class FinishedError(SettingError):
    """A training that was to go on is finished, and no longer one was asked for."""


class RunError(LowerboundError, ValueError):
    """A run directory that cannot be read as one: truncated, foreign, newer or hostile."""


class OutputError(LowerboundError, OSError):
    """A result that cannot be written: it exists, the place is not writable, the disk is full."""


class NonFiniteError(LowerboundError, ArithmeticError):
    """A bound or gradient that is not a finite number; names the step and the term."""


class ProcessError(LowerboundError, RuntimeError):
    """Processes that work together disagree about what they do, or one of them is gone."""


class MissingExtraError(LowerboundError, ImportError):
    """An optional package is absent.

    Args:
        purpose: The use that needs it, as the start of a sentence.
        package: The package that is absent.
        extra: The extra of lowerbound that brings it.
    """

    def __init__(self, purpose: str, package: str, extra: str) -> None:
        super().__init__(f"{purpose} needs {package}: pip install 'lowerbound[{extra}]'")


class StopTraining(Exception):
    """Raised by a callback to end training in good order; its message is the reason."""
