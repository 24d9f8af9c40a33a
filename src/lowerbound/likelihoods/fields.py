"""The likelihood of an example: one network, and the cells of each kind."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from lowerbound.core import Conditional
from lowerbound.distributions import Columns, Independent, Product
from lowerbound.distributions.independent import filled
from lowerbound.errors import SettingError, ShapeError
from lowerbound.likelihoods.cells import Cells


class Fields(Conditional):
    """p(x|z): independent cells whose parameters a decoder network computes from z.

    Args:
        network: Maps z, `(..., D)`, to `(..., parameters, *event)` where all cells have one law;
            else to `(..., parameters in all)`, those of each law after those of the one before,
            `(parameters, columns)` each.
        cells: The law of all cells; or for each law the columns that have it, so that a hundred
            columns cost as one. Every column has one.

    Raises:
        SettingError: A column has no law, or two.
        ShapeError: The network puts out another number of parameters (raised by `forward`).

    Example:
        >>> from lowerbound.likelihoods import Bernoulli, Gaussian
        >>> from lowerbound.networks import MLP
        >>> p = Fields(MLP((2,), (3,)), {(0, 2): Bernoulli(), (1,): Gaussian()})
        >>> p(torch.zeros(3, 5, 2)).log_prob(torch.ones(5, 3)).shape
        torch.Size([3, 5])
    """

    def __init__(self, network: nn.Module, cells: Cells | Mapping[tuple[int, ...], Cells]) -> None:
        super().__init__()
        self.network = network
        if isinstance(cells, Cells):
            self.laws = nn.ModuleList([cells])
            self.places: tuple[tuple[int, ...], ...] | None = None
            return
        self.laws = nn.ModuleList(cells.values())
        self.places = tuple(tuple(places) for places in cells)
        every = sorted(place for places in self.places for place in places)
        if not every or every != list(range(len(every))):
            raise SettingError(f"every column 0, 1, ... needs exactly one law, got {every[:20]}")
        for index, places in enumerate(self.places):
            self.register_buffer(f"columns{index}", torch.tensor(places), persistent=False)

    @property
    def parts(self) -> list[Cells]:
        """The laws, in the order of their parameters."""
        return [law for law in self.laws if isinstance(law, Cells)]

    @property
    def formula(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
        """That of the law, or of each."""
        return " ".join(dict.fromkeys(law.formula for law in self.parts))

    @property
    def name(self) -> str:
        """The name of the law; of several, joined by "+"."""
        return "+".join(dict.fromkeys(law.name for law in self.parts))

    def check(self, x: Tensor, observed: Tensor | None = None, name: str = "x") -> None:
        """See `Conditional.check`: each law knows its cells."""
        for index, law in enumerate(self.parts):
            places = slice(None) if self.places is None else self.places[index]
            own = x[:, places]
            # a filler lies inside the support
            known = own if observed is None else filled(own, observed[:, places], law.filler)
            law.check(known, name)

    def forward(self, context: Tensor | None = None) -> Independent | Product:
        """Return the law of x given z.

        Args:
            context: z, `(..., D)`.

        Returns:
            A distribution with batch `(...)` and event `(*event)`.

        Raises:
            ShapeError: There is no z, or the network puts out another number of parameters.
        """
        if context is None:
            raise ShapeError(f"likelihood '{self.name}' needs a latent z as its context, got None")
        output = self.network(context)
        if self.places is not None:
            return self._of_columns(output)
        (law,) = self.parts
        axis = context.ndim - 1
        if output.ndim <= axis or output.shape[axis] != law.parameters_per_cell:
            raise ShapeError(
                f"likelihood '{self.name}' needs a network that puts out "
                f"{law.parameters_per_cell} parameters a cell, "
                f"(..., {law.parameters_per_cell}, *event), got "
                f"{tuple(output.shape)} from z of {tuple(context.shape)}"
            )
        return law.family(law.law(output.movedim(axis, -1)), output.ndim - axis - 1, law.filler)

    def _of_columns(self, output: Tensor) -> Product:
        places = self.places or ()
        sizes = [law.numbers(len(own)) for own, law in zip(places, self.parts, strict=True)]
        if output.shape[-1] != sum(sizes):
            raise ShapeError(
                f"likelihood '{self.name}' needs a network that puts out {sum(sizes)} numbers, "
                f"got {tuple(output.shape)}"
            )
        columns = []
        for index, (part, law) in enumerate(zip(output.split(sizes, -1), self.parts, strict=True)):
            own = self.get_buffer(f"columns{index}")
            columns.append(Columns(own, law.of_columns(part), law.filler))
        return Product(columns)


def outputs_of(
    cells: Cells | Mapping[tuple[int, ...], Cells], event: tuple[int, ...]
) -> tuple[int, ...]:
    """Return the shape that a decoder for `Fields(network, cells)` puts out for one z."""
    if isinstance(cells, Cells):
        return (cells.parameters_per_cell, *event)
    return (sum(law.numbers(len(places)) for places, law in cells.items()),)
