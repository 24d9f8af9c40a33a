"""Tables as people have them come back as they came: dates, zones, zeros, types, decimals."""

import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from lowerbound.data import Data, columns_of, read
from lowerbound.data.listing import listed
from lowerbound.data.moments import parse
from lowerbound.errors import DataError

rng = np.random.default_rng(0)
COUNT = 120
DAYS = [datetime.datetime(2023, 1, 1) + datetime.timedelta(days=int(d))
        for d in rng.integers(0, 600, COUNT)]  # fmt: skip
TIMES = [day + datetime.timedelta(minutes=int(m))
         for day, m in zip(DAYS, rng.integers(0, 1440, COUNT), strict=True)]  # fmt: skip
NOISE = rng.normal(size=COUNT).round(3).tolist()


def back(data: Data) -> dict[str, set]:
    """The cells of each column over all parts, as they are written."""
    found: dict[str, set] = {}
    for part in (data.train, data.validation, data.test):
        table = columns_of(part.x, data.schema, part.observed)
        for name, column in table.items():
            found.setdefault(name, set()).update(column.tolist())
    return found


def table_file(folder: Path, **columns: list) -> Path:
    path = folder / "t.csv"
    rows = [
        ",".join(columns),
        *(",".join(map(str, row)) for row in zip(*columns.values(), strict=True)),
    ]
    path.write_text("\n".join(rows) + "\n")
    return path


@pytest.mark.parametrize(
    ("form", "kind", "unit"),
    [
        ("%d.%m.%Y", "date", "day"),
        ("%Y-%m-%d", "date", "day"),
        ("%m/%d/%Y", "date", "day"),
        ("%d-%b-%Y", "date", "day"),
        ("%Y%m%d", "date", "day"),
        ("%Y-%m-%d %H:%M", "datetime", "minute"),
        ("%Y-%m-%dT%H:%M:%S", "datetime", "minute"),
        ("%Y-%m-%dT%H:%M:%SZ", "datetime", "minute"),
        ("%Y-%m-%dT%H:%M:%S+01:00", "datetime", "minute"),
        ("%H:%M", "time", "minute"),
    ],
)
def test_dates_and_times_come_back_as_they_were_written(tmp_path: Path, form, kind, unit):
    source = TIMES if "%H" in form else DAYS
    words = [moment.strftime(form) for moment in source]
    data = read(table_file(tmp_path, when=words, x=NOISE))
    field = data.schema.fields[0]
    assert (field.kind, field.unit, field.form) == (kind, unit, form)
    assert {str(cell) for cell in back(data)["when"]} == set(words)


@pytest.mark.parametrize("form", ["%d.%m.%Y", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S+01:00"])
def test_many_words_are_read_as_few_are(form: str):
    days = [datetime.datetime(1900, 1, 1) + datetime.timedelta(hours=37 * i) for i in range(3000)]
    words = [day.strftime(form) for day in days] + ["31.02.2024", "soon", "1.2.2024", "2024-1-3"]
    words = list(dict.fromkeys(words))
    few = {}
    for start in range(0, len(words), 500):
        few |= parse(words[start : start + 500], form)
    assert parse(words, form) == few and "31.02.2024" not in few and len(few) > 1000


def test_days_and_months_that_may_be_exchanged_are_said_and_can_be_told(tmp_path: Path):
    words = [f"{1 + i % 12:02}/{1 + i % 11:02}/2024" for i in range(COUNT)]
    path = table_file(tmp_path, paid=words, x=NOISE)
    data = read(path)
    assert data.schema.fields[0].form == "%d/%m/%Y"
    assert "or %m/%d/%Y; --column paid=date:%m/%d/%Y reads them so" in str(data.notes)
    told = read(path, columns={"paid": "date:%m/%d/%Y"})
    assert told.schema.fields[0].form == "%m/%d/%Y"
    assert back(told)["paid"] == set(words)


def test_numbers_that_count_from_1970_are_dates_by_their_name(tmp_path: Path):
    seconds = [int(moment.timestamp()) for moment in TIMES]
    schema = read(table_file(tmp_path, created_at=seconds, x=NOISE)).schema
    assert (schema.fields[0].kind, schema.fields[0].form) == ("datetime", "epoch s")
    assert back(read(tmp_path / "t.csv"))["created_at"] == set(seconds)
    assert read(table_file(tmp_path, price=seconds, x=NOISE)).schema.fields[0].kind == "whole"


def test_zip_codes_keep_their_zeros(tmp_path: Path):
    codes = [f"{i % 7 * 501:05}" for i in range(COUNT)]
    data = read(table_file(tmp_path, zip=codes, age=list(range(COUNT))[::-1], x=NOISE))
    assert [field.kind for field in data.schema.fields] == ["categorical", "whole", "real"]
    assert back(data)["zip"] == set(codes)


def test_a_frame_has_its_types_again():
    moments = pa.array(TIMES, pa.timestamp("ns", "Europe/Zurich"))
    level = pa.DictionaryArray.from_arrays(
        pa.array(rng.integers(0, 2, COUNT), pa.int8()), ["low", "mid", "high"], ordered=True
    )
    truth = rng.random(COUNT) < 0.5
    frame = pa.table({
        "when": moments, "level": level, "truth": truth, "x": NOISE,
        "count": pa.array(rng.integers(-5, 60, COUNT), pa.int64()),
        "span": pa.array([datetime.timedelta(hours=int(h)) for h in rng.integers(1, 90, COUNT)]),
    })  # fmt: skip
    data = read(frame)
    kinds = [field.kind for field in data.schema.fields]
    assert kinds == ["datetime", "ordinal", "binary", "real", "whole", "duration"]
    assert data.schema.fields[1].categories == ("low", "mid", "high")  # one never occurs
    table = columns_of(data.train.x, data.schema)
    types = [column.dtype.kind for column in table.values()]
    assert types == ["M", "O", "b", "f", "i", "m"]
    assert back(data)["span"] == set(frame["span"].to_pylist())


@pytest.mark.parametrize(
    ("odd", "words"),
    [
        ("free", "mixed: .* numbers, and 12 words such as 'none left'.*--gaps fee=WORD"),
        ("7 apples", "--column fee=categorical takes numbers as words"),
    ],
)
def test_numbers_and_words_in_one_column_are_refused_in_one_line(tmp_path: Path, odd, words):
    fee = [odd if i % 10 == 0 else f"{i}.5" for i in range(COUNT)]
    fee[0], fee[10], fee[20] = "none left", "ask", "later"
    path = table_file(tmp_path, fee=fee, x=NOISE)
    with pytest.raises(DataError, match=words) as caught:
        read(path)
    assert "\n" not in str(caught.value)
    assert read(path, columns={"fee": "real"}).schema.fields[0].kind == "real"


@pytest.mark.parametrize(
    ("content", "note"),
    [
        ("\ufeffa,b\n{}".encode(), "byte-order mark"),
        (b"a;b\n{}", "separated by semicolons"),
        (b"a|b\n{}", "separated by bars"),
        (b"a,b\r\n{}", "carriage returns"),
        ("Größe,b\n{}".encode("latin-1"), "Latin-1"),
        (b'a,b\n"one\ntwo",3\n{}', "hold line breaks"),
    ],
)
def test_dialects_are_read_and_said(tmp_path: Path, content: bytes, note: str):
    mark = ";" if b";" in content else "|" if b"|" in content else ","
    end = "\r\n" if b"\r" in content else "\n"
    rows = end.join(f"{'uvw'[i % 3]}{mark}{i}" for i in range(40))
    (tmp_path / "t.csv").write_bytes(content.replace(b"{}", rows.encode()))
    data = read(tmp_path / "t.csv")
    assert len(data.schema.fields) == 2
    assert note in "; ".join(map(str, data.notes))


def test_every_column_is_listed_with_its_kind_reason_gaps_and_a_sample(tmp_path: Path):
    data = read(
        table_file(
            tmp_path,
            id=[f"c-{i:03}" for i in range(COUNT)],
            plan=["" if i % 10 == 0 else "ab"[i % 2] for i in range(COUNT)],
            land=["CH"] * COUNT,
            x=NOISE,
            x2=[2 * x for x in NOISE],
        )
    )
    found = {one.name: one for one in listed(data)}
    assert [one.kind for one in found.values()] == ["id", "binary", "constant", "real", "derived"]
    assert found["plan"].gaps == 12 and set(found["plan"].sample) == {"a", "b"}
    assert found["x2"].reason == "x2 = 2 x"
    assert found["land"].sample == ("'CH'",)
    assert all(one.reason for one in found.values())
