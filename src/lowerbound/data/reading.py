"""Decisions of reading that a person can take: one place, shared by Python, the CLI and a run."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, get_args, get_type_hints

from lowerbound.errors import SettingError, UnknownNameError

#: Whether cells become 0 or 1: cut at half of their range, or drawn by it, anew in every epoch.
Binarize = bool | Literal["dynamic"]
Fit = Literal["crop", "pad", "stretch"]
Pages = Literal["first", "examples", "channels"]
Axes = Literal["hw", "chw", "hwc", "tc", "ct", "flat", "roll"]
Decimal = Literal[".", ","]
Files = Literal["examples", "rows"]
Intensity = Literal["bytes", "levels", "reals"]

#: Options of one kind of source alone.
ONLY = {
    "table": {"header", "decimal", "row_names", "columns", "time", "device"},
    "picture": {"image_size", "fit", "pages", "intensity", "low", "high"},
    "array": {"axes"},
    "series": {"window", "stride"},
    "number": {"binarize"},
    "text or music": {"longest"},
    "music": {"bars", "transpose"},
    "single-cell": {"most_genes"},
}
#: By the kind that a format says: what is told of other sources. None are numbers, in any form.
OTHERS: Mapping[str | None, tuple[str, ...]] = {
    None: ("text or music", "music", "single-cell"),
    "byte": ("picture", "array", "series", "number", "music", "single-cell"),
    "note": ("table", "picture", "series", "number", "single-cell"),
    "count": ("text or music", "music"),
}
#: Kinds whose columns can be written in one way only.
KINDS_ARE = {"categorical": "words or numbers"} | dict.fromkeys(
    ("real", "count", "ordinal", "whole", "positive", "bounded", "cyclic"), "numbers"
)
#: Descriptions of a column beside its kind: ids, free text, or nothing of interest.
LEFT_OUT = ("id", "text", "skip")
AXES = {
    "hw": "grey images of height and width",
    "chw": "images, channels first",
    "hwc": "images, channels last",
    "tc": "series of steps and channels",
    "ct": "series, channels first",
    "flat": "vectors: no order among the cells",
    "roll": "piano rolls of sixteenths and pitches",
}


@dataclass(frozen=True)
class Gap:
    """Codes that stand for a missing cell.

    Args:
        column: The column's name; "*" for every column.
        codes: The numbers or words, as text.
    """

    column: str
    codes: tuple[str, ...]


@dataclass(frozen=True)
class Said:
    """A column as a person describes it.

    Args:
        column: The column's name.
        kind: A row of `lowerbound.data.KINDS`, or "id", "text" or "skip", which leave it out; with
            the form of its dates, as in "date:%d.%m.%Y".
    """

    column: str
    kind: str


@dataclass(frozen=True)
class Written:
    """How the cells of a column are written, as the data of the training had them.

    Args:
        column: The column's name.
        how: "words", "words or numbers" where numbers are words, too, "numbers" where few words
            are gaps, or the form of its dates: see `lowerbound.data.moments`.
    """

    column: str
    how: str


@dataclass(frozen=True)
class Reading:
    """How a source becomes examples; None leaves a decision to the reader, which says it.

    A reader hands back the decisions it took, so that new data of a trained model are read alike.

    Args:
        binarize: Make every cell 0 or 1, cut at half of its range; or "dynamic": by a draw whose
            chance is the grey level, made anew each time a training sees the example.
        image_size: `(H, W)` that picture files are fitted to.
        fit: Cut what sticks out ("crop"), add a border ("pad") or distort ("stretch").
        pages: Of pictures of several pages: the "first", each an "example", or each a "channel".
        channels: How many channels pictures have: 1 grey, 3 colour, more with what else is there.
        intensity: Pixels of more than 8 bits: scaled to "bytes", kept as "levels" or as "reals".
        low: Number that becomes byte 0 where pixels are scaled.
        high: Number that becomes byte 255.
        axes: Meaning of an array's axes after the first: see `AXES`.
        header: Whether the first row of a table names its columns.
        decimal: "." or ",": how a text table writes numbers.
        row_names: Column that names the rows; "" for none.
        gaps: Codes that stand for a missing cell.
        columns: Kinds that a person gave to columns.
        files: In a folder of arrays or tables, whether a file is one example or holds rows.
        longest: Bytes of the longest text that is kept, sixteenths of the longest tune.
        bars: Of a window of music; 2 if none.
        transpose: Whether a training moves each tune by some semitones, anew each time.
        time: Column of times, of a table whose rows are steps of recordings.
        device: Column that tells devices apart, whose recordings are none of each other's.
        window: Steps that recordings are cut into, each an example.
        stride: Steps from the beginning of one window to that of the next.
        step: From one time to the next, in units of the column of times or in microseconds.
        sensors: Columns that are the channels, in this order.
        written: How columns are written, where other data decided it.
        condition: Facts that a model is told of an example and does not explain: "class"; a column
            of a table, or about single cells, such as "batch".
        most_genes: Genes of single cells that are kept, the most variable; 2000 if none.
        genes: Names of the genes that were kept, in their order.
        recorded: Whether the decisions were taken for other data: those that do not fit give way.

    Raises:
        SettingError: A decision has an impossible value.

    Example:
        >>> reading(gaps={"a": [9999]}, header=False).gaps
        (Gap(column='a', codes=('9999',)),)
    """

    binarize: Binarize = False
    image_size: tuple[int, ...] | None = None
    fit: Fit = "crop"
    pages: Pages | None = None
    channels: int | None = None
    intensity: Intensity | None = None
    low: float | None = None
    high: float | None = None
    axes: Axes | None = None
    header: bool | None = None
    decimal: Decimal | None = None
    row_names: str | None = None
    gaps: tuple[Gap, ...] = ()
    columns: tuple[Said, ...] = ()
    files: Files | None = None
    longest: int | None = None
    bars: int | None = None
    transpose: bool = True
    time: str | None = None
    device: str | None = None
    window: int | None = None
    stride: int | None = None
    step: float | None = None
    sensors: tuple[str, ...] = ()
    written: tuple[Written, ...] = ()
    condition: str | None = None
    most_genes: int | None = None
    genes: tuple[str, ...] = ()
    recorded: bool = False

    def __post_init__(self) -> None:
        for name, hint in get_type_hints(type(self)).items():
            allowed = [word for one in (hint, *get_args(hint)) for word in get_args(one)]
            words = [word for word in allowed if isinstance(word, str)]
            value = getattr(self, name)
            if words and name != "binarize" and isinstance(value, str) and value not in words:
                raise SettingError(f"{name} is one of {', '.join(words)}, got {value!r}")
        if self.binarize not in (True, False, "dynamic"):
            raise SettingError(f"binarize is True, False or 'dynamic', got {self.binarize!r}")
        check_size(self.image_size)
        if self.channels is not None and not _whole(self.channels, 1, 4096):
            raise SettingError(f"channels is a whole number of 1 to 4096, got {self.channels!r}")
        if self.bars is not None and not _whole(self.bars, 1, 256):
            raise SettingError(f"bars is a whole number of 1 to 256, got {self.bars!r}")
        if self.longest is not None and not _whole(self.longest, 1, 2**31):
            raise SettingError(f"longest is a whole number from 1 on, got {self.longest!r}")
        if self.most_genes is not None and not _whole(self.most_genes, 1, 2**20):
            raise SettingError(f"most_genes is a whole number from 1 on, got {self.most_genes!r}")
        for name in ("window", "stride"):
            value = getattr(self, name)
            if value is not None and not _whole(value, 1, 2**20):
                raise SettingError(f"{name} is a whole number of steps from 1 on, got {value!r}")
        if self.time is None and self.device is not None:
            raise SettingError("device (--id) tells recordings apart; name their time, too")
        if (self.low is None) != (self.high is None):
            raise SettingError("low and high of the pixels belong together; give both")
        if self.low is not None and self.high is not None and not self.low < self.high:
            raise SettingError(f"low is less than high, got {self.low:g} and {self.high:g}")

    def codes(self, column: str) -> tuple[str, ...]:
        """Codes for a missing cell in a column."""
        return tuple(code for gap in self.gaps if gap.column in (column, "*") for code in gap.codes)

    def kind(self, column: str) -> str | None:
        """Kind that a column was said to have."""
        said = next((one.kind for one in self.columns if one.column == column), None)
        return None if said is None else said.partition(":")[0]

    def how(self, column: str) -> str | None:
        """How the cells of a column are written: see `Written`; None where nothing says it."""
        said = next((one.kind for one in self.columns if one.column == column), "")
        kind, _, form = said.partition(":")
        if form:
            return form
        if kind in KINDS_ARE:
            return KINDS_ARE[kind]
        if kind in ("date", "datetime", "time", "duration"):
            return "dates"
        return next((one.how for one in self.written if one.column == column), None)

    def refuse(self, *others: str, where: str) -> None:
        """Refuse what was told of other sources, such as "table" or "music": see `ONLY`."""
        for other in others if not self.recorded else ():
            for name in sorted(ONLY[other] & set(self.told())):
                raise SettingError(f"{name} is for {other} files, not for {where}; leave it out")

    def within(self, columns: Collection[str]) -> "Reading":
        """Give up what is said of other columns than these."""
        return replace(
            self,
            gaps=tuple(one for one in self.gaps if one.column in (*columns, "*")),
            columns=tuple(one for one in self.columns if one.column in columns),
            row_names=self.row_names if self.row_names in columns else None,
        )

    def told(self) -> tuple[str, ...]:
        """Names of the decisions that differ from the default."""
        return tuple(one.name for one in fields(self) if getattr(self, one.name) != one.default)


def reading(base: Reading | None = None, **told: Any) -> Reading:
    """Make a `Reading` of keyword arguments as a person writes them.

    Args:
        base: Decisions that hold where no other is told.
        told: Fields of `Reading`; `gaps` also as {column: [codes]}, `columns` as {column: kind}.

    Raises:
        SettingError: A decision has an impossible value.
        UnknownNameError: There is no such decision.
    """
    base = Reading() if base is None else base
    names = [one.name for one in fields(base)]
    for name in told:
        if name not in names:
            raise UnknownNameError("option of reading", name, names)
    if isinstance(told.get("gaps"), Mapping):
        told["gaps"] = tuple(Gap(str(name), _codes(told["gaps"][name])) for name in told["gaps"])
    if isinstance(told.get("columns"), Mapping):
        told["columns"] = tuple(Said(str(name), kind) for name, kind in told["columns"].items())
    if isinstance(told.get("image_size"), Sequence):
        told["image_size"] = tuple(told["image_size"])
    return replace(base, **told)


def check_size(image_size: tuple[int, ...] | None) -> None:
    """Raise a `SettingError` unless `image_size` is None or two numbers in 1..4096."""
    if image_size is None:
        return
    if len(image_size) != 2 or not all(_whole(side, 1, 4096) for side in image_size):
        raise SettingError(f"image_size is (H, W) of 1 to 4096 pixels, got {image_size}")


def _whole(value: object, least: int, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def _codes(codes: object) -> tuple[str, ...]:
    many = codes if isinstance(codes, list | tuple | set | frozenset) else [codes]
    return tuple(f"{code:.17g}" if isinstance(code, float) else str(code) for code in many)
