"""From rows as they were found to rows as a schema stores them, a block at a time."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from lowerbound.data.derive import slack, work_out
from lowerbound.data.facts import known
from lowerbound.data.field import Constant, Derived
from lowerbound.data.grey import drawn_alike
from lowerbound.data.kinds import KINDS, LARGEST_COUNT
from lowerbound.data.moments import UNITS
from lowerbound.data.notes import Tally
from lowerbound.data.rows import Block
from lowerbound.data.schema import Schema
from lowerbound.errors import DataError


@dataclass(frozen=True)
class Lookup:
    """Numbers as found and the codes that a schema has for them.

    Args:
        found: Ascending.
        codes: Of the same length; -1 for a word that training never saw.
        partial: Whether there may be words or numbers that training never saw.
    """

    found: np.ndarray
    codes: np.ndarray
    partial: bool = False

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Look up the codes of numbers; -1 where there is none."""
        place = np.searchsorted(self.found, values).clip(max=len(self.found) - 1)
        return np.where(self.found[place] == values, self.codes[place], -1)


@dataclass(frozen=True)
class Fitting:
    """All that is done to rows; it refuses what the schema cannot hold.

    Args:
        schema: Schema that the rows are fitted to.
        where: Name of their source in messages.
        found: Type of the numbers as found.
        columns: Places of the schema's columns among those found, -1 for one that is not there;
            None where these are the same.
        lookups: By place in the schema, for columns of codes.
        units: By place in the schema, microseconds of the unit that dates are stored in.
        constants: By place among the columns found, columns that never varied in training, and
            their number; None for one that is not among the words found.
        derived: Columns that follow from others, their places among those found, and their codes.
        halved: Whether cells are 0 and 255 in all rows, and become 0 and 1.
        cut: Above which number a cell becomes 1; None where cells are not cut.
        drawn: The level that is 1 for certain where cells become 0 or 1 by a draw; else None.
        grey: Whether cells stay grey levels, from which others draw 0 or 1.
        masked: Whether cells may be unknown; then examples have a mask.
    """

    schema: Schema
    where: str
    found: np.dtype
    columns: np.ndarray | None = None
    lookups: Mapping[int, Lookup] = field(default_factory=dict)
    units: Mapping[int, int] = field(default_factory=dict)
    constants: Mapping[int, tuple[Constant, float | None]] = field(default_factory=dict)
    derived: Sequence[tuple[Derived, int, Lookup | None]] = ()
    halved: bool = False
    cut: float | None = None
    drawn: float | None = None
    grey: bool = False
    masked: bool = False

    @cached_property
    def dtype(self) -> np.dtype:
        """Type of the numbers it makes."""
        if self.grey:  # of the levels
            return self.found if self.found == np.uint8 else np.dtype(
                np.float32 if self.found.kind == "f" else np.int32)  # fmt: skip
        return np.dtype(str(self.schema.dtype).removeprefix("torch."))

    def __call__(self, block: Block, tally: Tally | None = None) -> Block:
        """Turn rows `(B, *found)` into rows `(B, *schema.shape)`; unknown cells hold a filler.

        Args:
            block: As found.
            tally: Counts what a person should know of new data.

        Raises:
            DataError: A number that the schema does not have.
        """
        values, observed = known(block)
        if tally is not None:
            self._compare(values, observed, tally)
        if self.columns is not None:
            values = values[:, self.columns]
            observed = None if observed is None else observed[:, self.columns]
            if (self.columns < 0).any():
                observed = np.ones(values.shape, bool) if observed is None else observed
                observed[:, self.columns < 0] = False
        values, observed = self._possible(values, observed, tally)
        if self.lookups:
            values, observed = self._coded(values, observed, tally)
        if self.units:
            values = values.astype(np.float64)
            for place, size in self.units.items():
                values[:, place] = np.round(values[:, place] / size)
        if tally is not None:
            values, observed = self._ruled(block, values, observed, tally)
        if observed is not None:
            values = np.where(observed, values, self._filler.astype(values.dtype))
        values = self._bits(values)
        self._check(values)
        values = self._stored(values)
        if observed is not None and observed.all():
            observed = None
        return Block(values, None if observed is None else np.ascontiguousarray(observed))

    def unseen(self, block: Block) -> np.ndarray | None:
        """Compute log p of cells such as training never saw; None where there are none.

        Such a cell has the chance 1 / (n + L), n the known cells of the training and L its words,
        or 1 for numbers and constants: about what Good and Turing give to all that was never seen.

        Returns:
            `(B, D + C)`, nats: of the cells of the model, and then of the columns that never varied
            in training; 0 for cells like those of training.

        Source: Good (1953), The population frequencies of species, section 2.
        """
        if len(self.schema.shape) != 1:
            return None
        values, observed = known(block)
        width = self.schema.dimensions
        new: dict[int, tuple[np.ndarray, int]] = {}
        for place, (one, _) in self.constants.items():
            own = width + self.schema.constants.index(one)
            new[own] = self._differs(values, observed, place), one.known + 1
        for place, wrong in self._impossible(values, observed, found=True):
            new[place] = wrong, (self.schema.modelled[place].known or 0) + 1
        for place, lookup in self.lookups.items():
            field = self.schema.modelled[place]
            if not lookup.partial or field.known is None:
                continue
            column = place if self.columns is None else int(self.columns[place])
            other = lookup(values[:, column]) < 0
            other &= np.isfinite(values[:, column]) if observed is None else observed[:, column]
            new[place] = other, field.known + (field.levels or 2)
        if not any(rows.any() for rows, _ in new.values()):
            return None
        found = np.zeros((len(values), width + len(self.schema.constants)))
        for place, (rows, count) in new.items():
            found[:, place] -= rows * math.log(count)
        return found

    def _possible(
        self, values: np.ndarray, observed: np.ndarray | None, tally: Tally | None
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Take cells that a positive or bounded column cannot hold for gaps, and count them."""
        for place, wrong in self._impossible(values, observed):
            if not wrong.any():
                continue
            one = self.schema.modelled[place]
            observed = np.ones(values.shape, bool) if observed is None else observed.copy()
            observed[:, place] &= ~wrong
            if tally is not None:
                ends = one.bounds
                where = f"outside {ends[0]:g} to {ends[1]:g}" if ends else "not above 0"
                what = f"cells of {one.name!r} {where}: read as gaps"
                tally.add(what, count=int(wrong.sum()))
        return values, observed

    def _impossible(
        self, values: np.ndarray, observed: np.ndarray | None, *, found: bool = False
    ) -> Iterator[tuple[int, np.ndarray]]:
        """Find cells that a positive or bounded column cannot hold, `(B,)`, by its place.

        The values are those of the model's columns, or as they were `found`.
        """
        for place, one in enumerate(self.schema.modelled if self.schema.is_table else ()):
            if one.kind not in ("positive", "bounded"):
                continue
            column = place if not found or self.columns is None else int(self.columns[place])
            if column < 0:
                continue
            low, high = one.bounds or (np.nextafter(0, 1), np.inf)
            wrong = (values[:, column] < low) | (values[:, column] > high)
            yield place, wrong & (True if observed is None else observed[:, column])

    def _differs(self, values: np.ndarray, observed: np.ndarray | None, place: int) -> np.ndarray:
        """Tell which rows differ in a column that never varied in training, `(B,)`."""
        _, number = self.constants[place]
        differs = np.ones(len(values), bool) if number is None else values[:, place] != number
        return differs if observed is None else differs & observed[:, place]

    @cached_property
    def _alike(self) -> dict[tuple[str, int | None], np.ndarray | None]:
        """Columns of one kind and number of levels; None for all cells."""
        first = self.schema.modelled[0]
        if len(self.schema.modelled) == 1:
            return {(first.kind, first.levels): None}
        return {key: np.array(places) for key, places in self.schema.alike().items()}

    @cached_property
    def _filler(self) -> np.ndarray:
        """A number for unknown cells, for each column or for all."""
        fillers = [KINDS[one.kind].filler for one in self.schema.modelled]
        return np.array(fillers if len(fillers) > 1 else fillers[0])

    @property
    def row_bytes(self) -> int:
        """Bytes of a row that it makes, and of its mask."""
        return max(1, self.schema.dimensions * (self.dtype.itemsize + self.masked))

    def _compare(self, values: np.ndarray, observed: np.ndarray | None, tally: Tally) -> None:
        """Count rows that differ where training never did."""
        for place, (column, _) in self.constants.items():
            differs = self._differs(values, observed, place)
            if differs.any():
                what = (
                    f"examples differing in {column.name!r}, which was {column.text} in all "
                    "training data: the model ignores it"
                )
                tally.add(what, count=int(differs.sum()))

    def _ruled(
        self, block: Block, values: np.ndarray, observed: np.ndarray | None, tally: Tally
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Count rows that break a rule of the training, and fill gaps that one fills."""
        found, known_ = known(block)
        for rule, place, lookup in self.derived:
            own = found[:, place].astype(np.float64)
            own = own if lookup is None else lookup(own).astype(np.float64)
            own = own / UNITS[rule.field.unit] if rule.field.unit else own
            here = np.ones(len(own), bool) if known_ is None else known_[:, place]
            expected = work_out(rule, values, observed, self.schema)
            wrong = here & np.isfinite(expected) & (np.abs(own - expected) > slack(rule.field, own))
            if wrong.any():
                what = f"examples breaking the rule of the training: {rule.rule}"
                tally.add(what, count=int(wrong.sum()))
            pairs = zip(rule.keys, rule.values, strict=True)
            pairs = [(a, b) for a, b in pairs if a is not None and b is not None]
            back = {b: a for a, b in pairs}
            if observed is not None and len(back) == len(pairs) > 0:
                j = [one.name for one in self.schema.modelled].index(rule.of[0])
                for row in np.flatnonzero(~observed[:, j] & here):
                    if own[row] in back:
                        values[row, j], observed[row, j] = back[own[row]], True
        return values, observed

    def _coded(
        self, values: np.ndarray, observed: np.ndarray | None, tally: Tally | None
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Put codes in place of words; those that training never saw are unobserved."""
        values = values.astype(np.float64)
        observed = np.ones(values.shape, bool) if observed is None else observed.copy()
        for place, lookup in self.lookups.items():
            codes = lookup(values[:, place])
            new = (codes < 0) & observed[:, place]
            if new.any() and tally is not None:
                name = self.schema.modelled[place].name
                tally.add(
                    f"cells of {name!r} hold what training never saw: read as gaps",
                    count=int(new.sum()),
                )
            values[:, place] = codes
            observed[:, place] &= codes >= 0
        return values, observed

    def _bits(self, values: np.ndarray) -> np.ndarray:
        if self.halved:
            return values // 255
        if self.cut is not None:
            return values > self.cut
        if self.drawn is not None and not self.grey:
            return drawn_alike(values, self.drawn)
        return values

    def _check(self, values: np.ndarray) -> None:
        """Refuse a number outside a field's levels; unknown cells hold 0, which all have."""
        if self.grey or values.dtype.kind == "b":
            return
        for (kind, levels), places in self._alike.items():
            if kind in ("real", "positive", "bounded") or (
                values.dtype == np.uint8 and levels == 256
            ):
                continue
            own = values if places is None else values[:, places]
            most = LARGEST_COUNT if levels is None else levels - 1
            least = 0 if kind == "count" or levels is not None else -math.inf
            wrong = (own < least) | (own > (most if least == 0 else math.inf))
            if own.dtype.kind == "f" and not wrong.any():
                wrong = own != np.round(own)
            if wrong.any():
                place = tuple(np.argwhere(wrong)[0])
                where = self.where
                if self.schema.is_table:
                    column = place[1] if places is None else places[place[1]]
                    where = f"column {self.schema.modelled[column].name!r} of {where}"
                raise DataError(self._refusal(kind, levels, own, float(own[place]), where))

    @staticmethod
    def _refusal(kind: str, levels: int | None, own: np.ndarray, first: float, where: str) -> str:
        remedy = "give the values as they were in training"
        if levels == 256 and own.min() >= 0 and own.max() <= 1:
            remedy = "multiply by 255 and round"
        if kind == "binary":
            remedy = "cut them at half with --binarize (binarize=True)"
        takes = "counts, whole numbers from 0 on" if kind == "count" else "whole numbers"
        if levels is not None:
            takes = f"{kind} values 0 to {levels - 1}"
        return f"the model takes {takes}, got {first:g} in {where}; {remedy}"

    def _stored(self, values: np.ndarray) -> np.ndarray:
        with np.errstate(over="ignore"):
            stored = np.ascontiguousarray(values, self.dtype)
        if self.dtype.kind == "f" and not np.isfinite(stored).all():
            raise DataError(
                f"{self.where} has values beyond {self.dtype}, up to "
                f"{np.abs(values).max():g}; rescale"
            )
        return stored
