"""View: a batch as an encoder sees it."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from lowerbound.core.batch import Batch
from lowerbound.distributions import Layout

#: Beside its bin a number is seen at most so many scales from the mean.
FARTHEST = 6.0


class View(nn.Module):
    """The one module that looks into a batch: standardise, then fill, then say what is missing.

    Cells become (x - mean) / scale; categories become one number a level, 1 for the one there is;
    an unobserved cell becomes 0, which is the mean, whatever it holds; a mask, 1 where observed,
    is put beside the cells. Of columns that were cut into bins, one number a bin is put beside
    them, too: 1 for the bin that holds the cell, none where it is not seen.

    Args:
        mean: Of the training examples; a number or tensor that broadcasts against the event.
        scale: Their spread, positive, likewise.
        levels: The number of levels of each categorical column, by its place in `(D,)`.
        masked: Whether the encoder is told which cells were observed.
        bins: By the places of some columns of `(D,)`, their bins. Columns of codes have no number
            of their own then.
        logs: Whether cells are counts, of which log(1 + x) is standardised.

    Example:
        >>> view = View(127.5, 127.5)
        >>> view(Batch(torch.tensor([[0, 255]], dtype=torch.uint8)))
        tensor([[-1.,  1.]])
        >>> View(masked=True)(Batch(torch.tensor([[7.0, 8.0]]), torch.tensor([[True, False]])))
        tensor([[7., 0., 1., 0.]])
    """

    mean: Tensor
    scale: Tensor
    binned: Tensor

    def __init__(
        self,
        mean: float | Tensor = 0.0,
        scale: float | Tensor = 1.0,
        *,
        levels: Mapping[int, int] | None = None,
        masked: bool = False,
        bins: tuple[tuple[int, ...], Layout] | None = None,
        logs: bool = False,
    ) -> None:
        super().__init__()
        self.register_buffer("mean", torch.as_tensor(mean).detach().clone())
        self.register_buffer("scale", torch.as_tensor(scale).detach().clone())
        self._identity = isinstance(mean, float) and isinstance(scale, float)
        self._identity = self._identity and (mean, scale) == (0.0, 1.0)
        self.levels = dict(sorted((levels or {}).items()))
        self.masked, self.logs = masked, logs
        places, self.bins = bins or ((), None)
        self.register_buffer("binned", torch.tensor(places, dtype=torch.long), persistent=False)
        each = zip(places, () if self.bins is None else self.bins.bins, strict=True)
        self.coded = tuple(place for place, one in each if one.coded)

    def shape(self, event: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of one view of an example: its first axis may be longer."""
        first = event[0] * (1 + self.masked) + sum(self.levels.values()) - len(self.levels)
        if self.bins is not None:
            first += self.bins.total - len(self.coded)
        return (first, *event[1:])

    def forward(self, batch: Batch) -> Tensor:
        """View `B` examples.

        Returns:
            `(B, *shape)`, computed in the precision of the data and handed on in torch's default
            floating-point type; floats that are left as they are keep theirs.
        """
        seen, known = batch.x, batch.observed
        if self.logs:
            seen = (seen if known is None else torch.where(known, seen, 0)).float().log1p()
        if not (self._identity and seen.is_floating_point()):
            seen = ((seen - self.mean) / self.scale).to(torch.get_default_dtype())
        if known is not None:
            # where, not multiplication by the mask: nan * 0 is nan
            seen = torch.where(known, seen, 0.0)
        if not (self.levels or self.masked or self.bins):
            return seen
        parts = [self._with_classes(batch, seen) if self.levels else seen]
        if self.bins is not None:
            parts = [self._without_codes(seen), self._in_bins(self.bins, batch, seen)]
        if self.masked:
            full = torch.ones_like(seen) if known is None else known.to(seen.dtype)
            parts.append(full)
        return torch.cat(parts, dim=1)

    def _with_classes(self, batch: Batch, seen: Tensor) -> Tensor:
        """Put the classes of categorical columns in place of their codes, `(B, D')`."""
        columns = list(seen.unbind(dim=1))
        for place, levels in self.levels.items():
            codes = batch.x[:, place]
            if batch.observed is not None:
                codes = torch.where(batch.observed[:, place], codes, 0)
            classes = one_hot(codes.long().clamp(0, levels - 1), levels).to(seen.dtype)
            if batch.observed is not None:
                classes = classes * batch.observed[:, place, None]
            columns[place] = classes
        return torch.cat([c if c.ndim == 2 else c.unsqueeze(1) for c in columns], dim=1)

    def _without_codes(self, seen: Tensor) -> Tensor:
        """Leave out columns of codes, and hold numbers where training saw such, `(B, D')`."""
        kept = [place for place in range(seen.shape[1]) if place not in self.coded]
        return seen[:, kept].clamp(-FARTHEST, FARTHEST)

    def _in_bins(self, layout: Layout, batch: Batch, like: Tensor) -> Tensor:
        """One number a bin, `(B, bins)`."""
        own = batch.x.index_select(1, self.binned)
        ones = torch.ones(own.shape, dtype=like.dtype, device=like.device)
        if batch.observed is not None:
            known = batch.observed.index_select(1, self.binned)
            own, ones = torch.where(known, own, 0), known.to(like.dtype)
        found = torch.zeros(own.shape[0], layout.total, dtype=like.dtype, device=like.device)
        return found.scatter_(1, layout.code(own), ones)

    def extra_repr(self) -> str:
        """Its numbers, or their shape."""
        if self.mean.numel() == 1 and self.scale.numel() == 1:
            text = f"mean={self.mean.item():g}, scale={self.scale.item():g}"
        else:
            text = f"mean of shape {tuple(self.mean.shape)}, scale of {tuple(self.scale.shape)}"
        if self.levels:
            text += f", {len(self.levels)} categorical"
        return text + (", masked" if self.masked else "")
