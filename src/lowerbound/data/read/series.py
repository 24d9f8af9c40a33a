"""Recordings of sensors, cut into windows: tables with a column of times, and files of series."""

import datetime
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from lowerbound.data.moments import Unit, unit_of, written
from lowerbound.data.notes import Note
from lowerbound.data.raw import TEST, TRAIN, VALIDATION, Raw, refuse_oversize
from lowerbound.data.read.columns import moments_of, raw_of
from lowerbound.data.read.words import tell
from lowerbound.data.reading import Reading, Written
from lowerbound.data.rows import ArrayRows
from lowerbound.errors import DataError, UnknownNameError

#: Steps of a window where nobody says it: the usual, the fewest, and windows in the longest
#: recording at least.
USUAL, FEWEST, ENOUGH = 128, 8, 20
#: Steps agree where so many are whole multiples of their median, within so much of it.
SHARE, SLACK = 0.95, 0.1
#: With so many recordings whole ones are held out; with fewer, the end of each.
MANY = 10


@dataclass(frozen=True)
class Recording:
    """Steps of one device, one after the other.

    Args:
        name: Of the device; "" where there is one alone.
        values: `(T, C)`, nan for gaps.
        times: Of the steps, `(T,)`; None where they are only numbered.
        label: Its class, where the source says it.
    """

    name: str
    values: np.ndarray
    times: np.ndarray | None = None
    label: str | None = None

    def __len__(self) -> int:
        return len(self.values)


@dataclass(frozen=True)
class Recordings:
    """All recordings of a source.

    Args:
        where: Name of the source in messages.
        each: The recordings.
        reading: The decisions, which new data are read by.
        form: How times are written: see `lowerbound.data.moments`; None for numbers.
        notes: Decisions of reading.
    """

    where: str
    each: tuple[Recording, ...]
    reading: Reading
    form: str | None = None
    notes: tuple[Note, ...] = ()

    def places(self) -> list[tuple[int, int, int]]:
        """Decide where windows begin: recording, first step, and part of the split.

        Of data for a trained model every step is in a window: the last one of a recording ends
        where it ends, and a recording that is shorter than a window is one, ended by gaps. For
        training such recordings are left out; validation and test are whole recordings where
        there are ten, else the last two tenths of each, and no window lies in two parts.

        Raises:
            DataError: No recording is long enough.
        """
        width, stride = self.reading.window or 1, self.reading.stride or 1
        found: list[tuple[int, int, int]] = []
        if self.reading.recorded:
            for i, one in enumerate(self.each):
                last = max(0, len(one) - width)
                starts = [*range(0, last, stride), last]
                found += [(i, start, TRAIN) for start in starts]
            return found
        long = [i for i, one in enumerate(self.each) if len(one) >= width]
        sides = self.held(long)
        for i in long:
            length = len(self.each[i])
            ends = [(0, length, sides.get(self.each[i].name, TRAIN))]
            if not sides and length >= 3 * width:
                part = max(length // 10, width)
                ends = [
                    (0, length - 2 * part, TRAIN),
                    (length - 2 * part, length - part, VALIDATION),
                    (length - part, length, TEST),
                ]
            found += [
                (i, start, side)
                for low, high, side in ends
                for start in range(low, high - width + 1, stride)
            ]
        if len({side for _, _, side in found}) < 3:
            most = max(map(len, self.each))
            raise DataError(
                f"{self.where} has no recording of more than {most:,} steps, too short for windows "
                f"of {width} to train, validate and test on; give longer ones, or a smaller "
                "--window (window=)"
            )
        return found

    def held(self, some: Sequence[int]) -> dict[str, int]:
        """Choose a tenth of the devices for each held-out part, by the hash of their names.

        Empty where there are fewer than ten.
        """
        names = {self.each[i].name for i in some}
        if len(names) < MANY:
            return {}
        order = sorted(names, key=lambda name: hashlib.blake2b(name.encode()).digest())
        count = len(order) // 10
        return dict.fromkeys(order[:count], TEST) | dict.fromkeys(
            order[count : 2 * count], VALIDATION
        )

    def windows(self, places: Sequence[tuple[int, int, int]]) -> np.ndarray:
        """Cut windows `(N, window, C)`; steps beyond the end of a recording are gaps."""
        width = self.reading.window or 1
        channels = self.each[0].values.shape[1]
        refuse_oversize(8 * len(places) * width * channels, self.where)
        found = np.full((len(places), width, channels), np.nan)
        for row, (i, start, _) in zip(found, places, strict=True):
            some = self.each[i].values[start : start + width]
            row[: len(some)] = some
        return found

    @cached_property
    def _unit(self) -> Unit:
        """The coarsest unit of which all times are whole multiples."""
        every = [one.times for one in self.each if one.times is not None]
        return unit_of(np.concatenate(every), self.form or "")

    def times(self, i: int) -> np.ndarray:
        """Write the times of a recording as its source does; numbers from 0 where it has none."""
        times = self.each[i].times
        if times is None:
            return np.arange(len(self.each[i]))
        if self.form is not None:
            return written(times, self.form, self._unit)
        whole = (times == np.round(times)).all()
        return times.astype(np.int64) if whole else times

    def names(self, places: Sequence[tuple[int, int, int]]) -> tuple[str, ...]:
        """Call each window by its device and the time that it begins."""
        told = [self.times(i) for i in range(len(self.each))]
        return tuple(
            f"{self.each[i].name} {str(told[i][start]).replace('T', ' ')}".strip()
            for i, start, _ in places
        )

    def put_back(
        self, places: Sequence[tuple[int, int, int]], windows: np.ndarray
    ) -> list[np.ndarray]:
        """Put windows `(N, window, ...)` together to recordings.

        Each step is that of the window in which it lies nearest the middle: there both its sides
        are known best.
        """
        width = windows.shape[1]
        near = np.minimum(np.arange(width), np.arange(width)[::-1])
        found = [np.full((len(one), *windows.shape[2:]), np.nan) for one in self.each]
        best = [np.full(len(one), -1) for one in self.each]
        for window, (i, start, _) in zip(windows, places, strict=True):
            count = min(width, len(self.each[i]) - start)
            own = slice(start, start + count)
            better = near[:count] > best[i][own]
            best[i][own] = np.where(better, near[:count], best[i][own])
            found[i][own][better] = window[:count][better]
        return found


def raw_of_recordings(found: Recordings, label_names: tuple[str, ...] | None = None) -> Raw:
    """Cut recordings into windows, and say how."""
    places = found.places()
    options, each = found.reading, found.each
    sides = np.array([side for _, _, side in places], np.int8)
    count = f"{len(each):,} recordings" if len(each) > 1 else "one recording"
    steps = f"{sum(map(len, each)):,} steps"
    text = f"{count} of {steps}{' in all' * (len(each) > 1)}, cut into "
    every = f"{len(places):,} windows" if len(places) > 1 else "one window"
    notes = [Note(f"{text}{every} of {options.window}, one every {options.stride} steps")]
    if all(len(one) == options.window for one in each):
        notes = [Note(f"{count} of {options.window} steps, each an example")]
    if not options.recorded:
        short = sum(len(one) < (options.window or 1) for one in each)
        if short:
            notes.append(Note("recordings left out: they are shorter than a window", short))
        held = found.held([i for i, one in enumerate(each) if len(one) >= (options.window or 1)])
        how = "whole recordings" if held else "the end of each recording"
        notes.append(Note(f"validation and test are {how}: no step lies in two parts"))
        notes += _never_vary(each, options)
    label = None
    names = label_names or tuple(sorted({one.label for one in each if one.label is not None}))
    if names and all(one.label in names for one in each):
        codes = {name: code for code, name in enumerate(names)}
        label = np.array([codes[each[i].label or ""] for i, _, _ in places], np.int64)
    return Raw(
        found.where,
        ArrayRows(found.windows(places)),
        part=None if options.recorded else sides,
        label=label,
        label_names=names if label is not None else None,
        row_names=found.names(places),
        row_label="window",
        notes=(*found.notes, *notes),
        reading=options,
    )


def _never_vary(each: Sequence[Recording], options: Reading) -> list[Note]:
    """Name the channels of one value: a density of it has no upper limit."""
    low = np.min([np.nanmin(one.values, axis=0, initial=np.inf) for one in each], axis=0)
    high = np.max([np.nanmax(one.values, axis=0, initial=-np.inf) for one in each], axis=0)
    names = options.sensors or tuple(f"channel {place + 1}" for place in range(len(low)))
    still = tuple(name for name, same in zip(names, low == high, strict=True) if same)
    if not still:
        return []
    how = f"--column {still[0]}=skip leaves it" if options.sensors else "leave it"
    return [Note(f"channels of one value, of no use to a density: {how} out", len(still), still)]


def with_window(options: Reading, longest: int) -> Reading:
    """Choose window and stride where a person did not."""
    width = options.window
    if width is None:
        width = USUAL
        while width > FEWEST and width * ENOUGH > longest:
            width //= 2
    return replace(options, window=width, stride=options.stride or max(1, width // 2))


def recordings_of_arrays(arrays: Sequence[np.ndarray], options: Reading, where: str) -> Recordings:
    """Take arrays `(T, C)` for recordings."""
    options = with_window(options, max(map(len, arrays)))
    names = [f"recording {i + 1}" if len(arrays) > 1 else "" for i in range(len(arrays))]
    each = tuple(Recording(n, np.asarray(a, float)) for n, a in zip(names, arrays, strict=True))
    return Recordings(where, each, replace(options, axes=options.axes or "tc"))


def recordings_of_tables(
    tables: Sequence[tuple[str, Any, dict[str, Any]]], options: Reading, where: str
) -> Recordings:
    """Read tables with a column of times, one row a step, as recordings.

    Times that are whole multiples of their median step are put on its grid, where missing steps
    are gaps; others are taken as they come. A gap of more than a window ends a recording.

    Args:
        tables: Name, table of pyarrow, and what `raw_of` is to know of it.
        options: `time` names the column of times, `device` one that tells devices apart.
        where: The name in messages.

    Raises:
        DataError: Times are missing, no times, or twice the same; or columns hold words.
        UnknownNameError: There is no such column.
    """
    time, device = options.time or "", options.device
    options.refuse("picture", where=where)
    parts: list[tuple[str, np.ndarray, np.ndarray]] = []
    notes: tuple[Note, ...] = ()
    form, columns = options.how(time), options.columns
    for name, table, how in tables:
        known = [str(one) for one in table.column_names]
        for one in (time, *([device] if device else []), *options.sensors):
            if one not in known:
                raise UnknownNameError("column", one, known)
        times, form = _times(table.column(time), time, how.get("decimal", "."), form, where)
        own = list(options.sensors) or [one for one in known if one not in (time, device)]
        if not own:
            raise DataError(f"{where} has no column beside {time!r}; give one of measurements")
        told = replace(options, row_names="", time=None, device=None, columns=columns)
        raw = raw_of(table.select(own), where, told.within([*own, ""]), **how)
        words = [c.name for c in raw.columns or () if c.categories is not None or c.form]
        if words:
            raise DataError(
                f"column {words[0]!r} of {where} holds words or dates, and a series numbers; leave "
                f"it out with --column {words[0]}=skip (columns={{{words[0]!r}: 'skip'}})"
            )
        options = replace(options, sensors=raw.names or tuple(own))
        notes = notes or (*how.get("notes", ()), *raw.notes)
        columns = tuple({one.column: one for one in (*columns, *raw.reading.columns)}.values())
        devices = [""] * len(times) if device is None else table.column(device).to_pylist()
        absent = [row for row, one in enumerate(devices, 1) if one is None]
        if absent:
            raise DataError(f"row {absent[0]} of {where} has no {device!r}")
        values, which = raw.values.astype(float), np.array([str(one) for one in devices])
        for one in dict.fromkeys(which.tolist()):
            rows = which == one
            parts.append((" ".join(w for w in (name, one) if w), times[rows], values[rows]))
    options = with_window(options, max(len(values) for _, _, values in parts))
    each, step, more = _gridded(parts, options, where, form)
    if form is not None:
        others = tuple(one for one in options.written if one.column != time)
        options = replace(options, written=(*others, Written(time, form)))
    options = replace(options, axes="tc", step=step, columns=columns)
    return Recordings(where, tuple(each), options, form, (*notes, *more))


def _times(
    column: Any, name: str, decimal: str, how: str | None, where: str
) -> tuple[np.ndarray, str | None]:
    """Read times as numbers or microseconds, and the form they are written in."""
    import pyarrow as pa

    kind, types = column.type, pa.types
    told = moments_of(column)
    if told is not None:
        values, form = told.values, told.form
    elif types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind):
        values, form = np.asarray(column.cast(pa.float64(), safe=False)), None
    else:
        told = tell(column.cast(pa.large_string()), name, decimal=decimal, how=how)
        if told.categories is not None:
            raise DataError(
                f"column {name!r} of {where} holds no times, but words such as "
                f"{told.categories[0][:40]!r}; name the column of times with --time (time=)"
            )
        values, form = told.values, told.form
    bad = np.flatnonzero(~np.isfinite(values))
    if len(bad):
        raise DataError(
            f"row {bad[0] + 1} of {where} has no time in column {name!r}; take such rows out"
        )
    return values, form


def _apart(step: float, form: str | None) -> str:
    """Write a step from one time to the next; of dates, in microseconds, as hours and so on."""
    if form is None:
        return f"{step:g}"
    digits = 0 if step >= 1e7 else 3
    return str(datetime.timedelta(seconds=round(float(step) / 1e6, digits)))


def _gridded(
    parts: Sequence[tuple[str, np.ndarray, np.ndarray]],
    options: Reading,
    where: str,
    form: str | None,
) -> tuple[list[Recording], float | None, tuple[Note, ...]]:
    """Put each recording in the order of its times, on a grid where they have one."""
    notes: list[Note] = []
    ordered, steps, moved = [], [], 0
    for name, times, values in parts:
        order = np.argsort(times, kind="stable")
        moved += int((np.diff(times) < 0).sum())
        times, values = times[order], values[order]
        twice = np.flatnonzero(np.diff(times) == 0)
        if len(twice):
            of = f" of {name}" if name else ""
            raise DataError(
                f"{where} has two rows{of} of one time, row {int(order[twice[0]]) + 1} and row "
                f"{int(order[twice[0] + 1]) + 1}; if they are of several devices, name the column "
                "that tells them apart with --id (device=), else keep one of them"
            )
        ordered.append((name, times, values))
        steps.append(np.diff(times))
    if moved:
        notes.append(Note("rows were not in the order of their times: put in order", moved))
    every = np.concatenate(steps)
    if not len(every):
        raise DataError(f"{where} has one row a recording: a series needs several steps")
    step = float(np.median(every)) if options.step is None else options.step
    multiple = np.maximum(np.round(every / step), 1)
    regular = float((np.abs(every - multiple * step) <= SLACK * step).mean()) >= SHARE
    if options.step is not None and not regular:
        raise DataError(
            f"the steps of {where} are not those of the training data, {_apart(step, form)} apart "
            f"(median {_apart(np.median(every), form)}); give data measured as often"
        )
    if not regular:
        low, high, middle = (_apart(one, form) for one in (every.min(), every.max(), step))
        text = f"times are not evenly apart (from {low} to {high}, median {middle})"
        notes.append(Note(f"{text}: steps are taken as they come"))
        taken = [Recording(name, values, times) for name, times, values in ordered]
        return taken, None, tuple(notes)
    found, missing, cuts = [], 0, 0
    for name, times, values in ordered:
        jumps = np.maximum(np.round(np.diff(times) / step), 1).astype(np.int64)
        ends = np.flatnonzero(jumps > (options.window or 1)) + 1
        cuts += len(ends)
        for rows in np.split(np.arange(len(times)), ends):
            place = np.concatenate([[0], np.cumsum(jumps[rows[:-1]])])
            grid = np.full((place[-1] + 1, values.shape[1]), np.nan)
            grid[place] = values[rows]
            when = times[rows[0]] + step * np.arange(len(grid))
            when[place] = times[rows]
            missing += len(grid) - len(rows)
            found.append(Recording(name, grid, when))
    if missing:
        notes.append(Note("steps missing between others: read as gaps", missing))
    if cuts:
        notes.append(Note("gaps longer than a window: a new recording begins after each", cuts))
    return found, step, tuple(notes)
