"""A published figure, and all that it takes to get it again."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

#: Data that entries are trained on.
Source = Literal[
    "mnist-dynamic", "mnist-dynamic-50000", "mnist-static", "mnist-pixels",
    "iris", "breast-cancer", "digits", "ptb",
]  # fmt: skip


@dataclass(frozen=True)
class Published:
    """The figure of a source.

    Attributes:
        figure: Nats per example; an upper bound on -log p(x), or log p(x) where `of` says so.
        source: Authors, year, table.
        address: Where it can be read.
        active: Active latent units, where the source counts them.
    """

    figure: float
    source: str
    address: str
    active: int | None = None


@dataclass(frozen=True)
class Entry:
    """One row: source, protocol, data, architecture, schedule, evaluation.

    Attributes:
        name: As given to `lowerbound reproduce`.
        published: The figure of the source.
        data: The data that it is trained and evaluated on.
        protocol: Preparation, split and evaluation of the data, in a sentence or two.
        recipe: Of the catalogue.
        model: Settings of the model that differ from the recipe's own.
        training: Settings of objective and training that do; with them `epochs`, the whole
            published budget.
        samples: Draws `K` of the importance-weighted bound that is told.
        differs: Where we depart from the source, in a sentence or two.
        others: Figures of other implementations: (figure, who and how).
        most_updates: For an entry that asks how near few updates come: the most it may make.
            Settings of the optimiser are then free.
        tolerance: Nats by which a figure may be worse than published and still count as it.
    """

    name: str
    title: str
    published: Published
    data: Source
    protocol: str
    recipe: str
    model: Mapping[str, Any]
    training: Mapping[str, Any]
    samples: int = 5000
    differs: str = ""
    others: tuple[tuple[float, str], ...] = ()
    most_updates: int | None = None
    tolerance: float = 0.3

    @property
    def settings(self) -> dict[str, Any]:
        """Settings of model, objective and training."""
        return {**self.model, **self.training}

    @property
    def model_settings(self) -> dict[str, Any]:
        """Settings of the model as JSON has them."""
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in self.model.items()
        }

    @property
    def epochs(self) -> int:
        """The whole budget, in passes over the training examples."""
        return int(self.training["epochs"])

    @property
    def batch_size(self) -> int:
        """Examples in one update."""
        return int(self.training["batch_size"])

    @property
    def dimensions(self) -> int:
        """Cells of an example."""
        return DIMENSIONS.get(self.data, 784)

    @property
    def updates(self) -> int:
        """The whole budget in updates."""
        return self.epochs * -(-EXAMPLES[self.data] // self.batch_size)

    @property
    def budget(self) -> int:
        """Updates that a figure is held against: those published, or the most it may make."""
        return self.updates if self.most_updates is None else self.most_updates

    @property
    def is_linear(self) -> bool:
        """True if the figure is an exact maximum of the likelihood, no measurement."""
        return self.recipe == "linear"


#: Cells of an example of each source; the others are of MNIST.
DIMENSIONS: Mapping[str, int] = {"iris": 4, "breast-cancer": 30, "digits": 64}

#: Training examples of each source.
EXAMPLES: Mapping[str, int] = {
    "mnist-dynamic": 59_600, "mnist-dynamic-50000": 50_000, "mnist-static": 50_000,
    "mnist-pixels": 60_000, "iris": 150, "breast-cancer": 569, "digits": 1_797,
    "ptb": 42_068,
}  # fmt: skip
