"""Tables of JSON: objects a line, lists of objects, objects of columns, and broken ones."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from lowerbound.data import columns_of, read
from lowerbound.data.packed.convert import pack
from lowerbound.data.reading import Reading
from lowerbound.errors import DataError

TOWNS = ("Bern", "Chur")
ROWS = [
    {
        "age": 20 + i % 40,
        "pay": 1.5 * i,
        "town": TOWNS[i * i % 7 % 2],
        "since": f"2024-01-{1 + i % 28:02}",
    }
    | ({} if i % 5 else {"note": None})
    for i in range(80)
]


def csv_file(folder: Path) -> Path:
    path = folder / "t.csv"
    lines = [",".join(map(str, list(row.values())[:4])) for row in ROWS]
    path.write_text("\n".join(["age,pay,town,since", *lines]))
    return path


@pytest.mark.parametrize("form", ["jsonl", "ndjson", "jsonl.gz", "json", "columns.json"])
def test_a_table_of_json_is_that_of_a_csv_file(tmp_path: Path, form: str):
    path = tmp_path / f"t.{form}"
    if form.startswith("json") and "l" not in form:
        path.write_text(json.dumps(ROWS))
    elif form == "columns.json":
        path.write_text(json.dumps({name: [r[name] for r in ROWS] for name in list(ROWS[0])[:4]}))
    else:
        lines = "\n".join(map(json.dumps, ROWS)).encode() + b"\n\n"
        path.write_bytes(gzip.compress(lines) if form.endswith("gz") else lines)
    found, expected = read(path), read(csv_file(tmp_path))
    kinds = [(field.name, field.kind) for field in found.schema.fields]
    assert kinds == [(field.name, field.kind) for field in expected.schema.fields]
    both = [
        columns_of(data.train.x, data.schema, data.train.observed) for data in (found, expected)
    ]
    for name in ("age", "pay", "town", "since"):
        assert both[0][name].tolist() == both[1][name].tolist()
    assert both[0]["age"].dtype.kind == "i"


def test_what_an_object_lacks_is_a_gap_and_mixed_cells_are_words(tmp_path: Path):
    rows = [{"a": i * 0.37} | ({"b": i % 7} if i % 2 else {}) | {"c": 1 if i % 3 else "no"}
            for i in range(60)]  # fmt: skip
    (tmp_path / "t.jsonl").write_text("\n".join(map(json.dumps, rows)))
    data = read(tmp_path / "t.jsonl")
    b, c = (next(f for f in data.schema.fields if f.name == name) for name in "bc")
    assert b.missing and b.kind != "categorical"
    assert set(c.categories) == {"1", "no"}


def test_a_table_of_json_is_packed_for_the_disk(tmp_path: Path):
    (tmp_path / "t.jsonl").write_text("\n".join(map(json.dumps, ROWS)))
    assert pack(str(tmp_path / "t.jsonl"), tmp_path / "packed", Reading()) == 80
    packed, held = read(tmp_path / "packed"), read(tmp_path / "t.jsonl")
    assert len(packed.train) + len(packed.test) + len(packed.validation) == 80
    assert [f.kind for f in packed.schema.fields] == [f.kind for f in held.schema.fields]


def test_settings_beside_pictures_or_tables_are_no_table(tmp_path: Path):
    csv_file(tmp_path)
    (tmp_path / "about.json").write_text('{"made": "by hand"}')
    assert len(read(tmp_path).schema.fields) == len(read(tmp_path / "t.csv").schema.fields)


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("t.jsonl", b'{"a": 1}\n{"a": 2\n', "line 2 of 't.jsonl' is no JSON"),
        ("t.jsonl", b"1\n2\n", "item 1 of 't.jsonl' is no object; give one object a line"),
        ("t.json", b'{"a": 1}', "is one object and no table"),
        ("t.json", b'{"a": [1, 2], "b": [1]}', "differ in length"),
        ("t.json", b"[" * 100_000, "is no JSON: it is nested too deeply"),
        ("t.json", b"\xff\xfe\x00", "is no UTF-8 text"),
        ("t.json", b"[]", "has no columns"),
        ("t.jsonl", b'{"a": {"b": 1}}\n' * 20, "has no columns to model"),
    ],
)
def test_what_is_no_table_of_json_is_refused_in_a_line(tmp_path: Path, name, content, told):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=told) as error:
        read(tmp_path / name)
    assert "\n" not in str(error.value)


def test_whole_numbers_among_words_come_back_whole(tmp_path: Path):
    cells = [str(i % 30) if i % 13 else "unknown" for i in range(90)]
    rows = [f"{cell},{i * 0.37:.2f}" for i, cell in enumerate(cells)]
    (tmp_path / "t.csv").write_text("\n".join(["visits,x", *rows]))
    data = read(tmp_path / "t.csv")
    column = columns_of(data.train.x, data.schema, data.train.observed)["visits"]
    assert {type(cell) for cell in column} <= {int, type(None)}
    assert np.isin([c for c in column if c is not None], range(30)).all()
