"""Slots: arguments of a recipe that take the name of a builder, and that builder's settings."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from lowerbound import likelihoods, networks, posteriors, priors
from lowerbound.errors import UnknownNameError

Builder = Callable[..., Any]


@dataclass(frozen=True)
class Slot:
    """A place in a model that one of several parts can fill.

    Attributes:
        name: Of the argument, such as "prior".
        builders: By name: the keyword-only arguments of each are its settings.
        auto: True if "auto" leaves the choice to the data.
    """

    name: str
    builders: Mapping[str, Builder]
    auto: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """The names that can be given."""
        return (*(("auto",) if self.auto else ()), *self.builders)

    def check(self, name: str) -> str:
        """Return the name; `UnknownNameError` if there is no builder of it."""
        if name not in self.names:
            raise UnknownNameError(self.name, name, self.names)
        return name


@dataclass(frozen=True)
class Choice:
    """A builder by name, and its settings, which are its keyword arguments."""

    name: str
    settings: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, given: "str | Choice") -> "Choice":
        """Make a choice of a bare name."""
        return given if isinstance(given, Choice) else cls(given)


#: Everything that a recipe's slots can hold: the one list that catalogue, docs and tests read.
SLOTS: Mapping[str, Slot] = {
    "prior": Slot("prior", priors.BUILDERS),
    "posterior": Slot("posterior", posteriors.BUILDERS),
    "likelihood": Slot("likelihood", likelihoods.BUILDERS, auto=True),
    "network": Slot("network", networks.BUILDERS, auto=True),
}

#: Types of a recipe's arguments that are slots.
Prior = Annotated[str | Choice, SLOTS["prior"]]
Posterior = Annotated[str | Choice, SLOTS["posterior"]]
Likelihood = Annotated[str | Choice, SLOTS["likelihood"]]
Networks = Annotated[str | Choice, SLOTS["network"]]
