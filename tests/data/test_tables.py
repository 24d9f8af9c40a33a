"""CSV, TSV, Parquet and tables in memory."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from lowerbound.data import Data, read
from lowerbound.errors import DataError, MissingExtraError

rng = np.random.default_rng(0)
X = np.round(rng.normal(size=(20, 3)), 4)


def lines(separator: str = ",", ending: str = "\n", header: str | None = "a,b,c") -> str:
    rows = [] if header is None else [header.replace(",", separator)]
    rows += [separator.join(f"{cell}" for cell in row) for row in X]
    return ending.join(rows) + ending


def write(folder: Path, content: str | bytes, name: str = "x.csv") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def told(data: Data) -> str:
    return "; ".join(str(note) for note in data.notes)


def cells(data: Data) -> set[tuple[float, ...]]:
    parts = (data.train, data.validation, data.test)
    return {tuple(row) for part in parts for row in part.x.tolist()}


def refused(path: Path, words: str) -> None:
    with pytest.raises(DataError, match=words) as caught:
        read(path)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (lines(), "x.csv"),
        (lines(";"), "x.csv"),
        (lines("\t"), "x.tsv"),
        (lines("\t"), "x.csv"),
        (lines("|"), "x.csv"),
        (lines(ending="\r\n"), "x.csv"),
        ("\ufeff" + lines(), "x.csv"),
        ("\n\n" + lines().replace("\n", "\n\n"), "x.csv"),
        (lines().replace("\n", "\n  \n", 3), "x.csv"),
        (lines().rstrip(), "x.csv"),
        (lines().replace(",", " , "), "x.csv"),
        (lines(header='"a","b","c"'), "x.csv"),
        (
            "\n".join(",".join(f'"{c}"' for c in line.split(",")) for line in lines().split()),
            "x.csv",
        ),
    ],
)
def test_every_dialect_gives_the_same_table(tmp_path: Path, content: str, name: str):
    data = read(write(tmp_path, content, name))
    assert data.schema.columns == ("a", "b", "c")
    assert data.schema.describe() == "table of 3 real columns"
    assert cells(data) == {tuple(row) for row in X}


def test_a_file_without_header_is_vectors(tmp_path: Path):
    data = read(write(tmp_path, lines(header=None)))
    assert data.schema.columns is None
    assert cells(data) == {tuple(row) for row in X}


def test_running_numbers_are_taken_for_names_and_told(tmp_path: Path):
    data = read(write(tmp_path, lines(header="0,1,2")))
    assert data.schema.columns == ("0", "1", "2")
    assert "names of the columns" in told(data)


def test_years_among_words_are_names(tmp_path: Path):
    assert read(write(tmp_path, lines(header="a,b,2020"))).schema.columns == ("a", "b", "2020")


def test_a_quoted_name_may_hold_anything(tmp_path: Path):
    data = read(write(tmp_path, lines(header='"a, of ""b""","b\nc",ü')))
    assert data.schema.columns == ('a, of "b"', "b\nc", "ü")


def test_names_in_latin_1_are_read(tmp_path: Path):
    content = lines(header="Größe,b,c").encode("latin-1")
    assert read(write(tmp_path, content)).schema.columns == ("Größe", "b", "c")


def test_a_table_of_bits_is_binary(tmp_path: Path):
    rows = rng.integers(0, 2, (40, 6))
    content = "\n".join(["a,b,c,d,e,f", *(",".join(map(str, row)) for row in rows)])
    data = read(write(tmp_path, content))
    assert data.schema.describe() == "table of 6 binary columns"


def test_bits_among_reals_are_real_and_told(tmp_path: Path):
    rows = [f"{i % 2},{x},{i * i}" for i, x in enumerate(X[:, 0])]
    data = read(write(tmp_path, "\n".join(["flag,x,count", *rows])))
    assert data.schema.kind == "real"
    assert "only 0 and 1, modelled as real: their density has no upper limit (flag)" in told(data)
    assert "only whole numbers, modelled as real: their density has no upper limit (count)" in told(
        data
    )


def test_constant_columns_are_left_out_named_and_put_back(tmp_path: Path):
    rows = [f"7,{x},0.5,{y}" for x, y, _ in X]
    data = read(write(tmp_path, "\n".join(["a,b,c,d", *rows])))
    assert data.schema.columns == ("a", "b", "c", "d")
    assert [column.name for column in data.schema.constants] == ["a", "c"]
    assert data.schema.shape == (2,)
    assert "2 columns left out: they never vary (a = 7, c = 0.5)" in told(data)
    assert (data.schema.unpack(data.train.x.numpy())[:, [0, 2]] == [7, 0.5]).all()


def test_a_table_of_constants_is_refused(tmp_path: Path):
    refused(write(tmp_path, "a,b\n" + "1,2\n" * 30), "all 30 examples .* identical")


@pytest.mark.parametrize("name", ["", "Unnamed: 0", "id", "index"])
def test_a_row_number_column_is_told(tmp_path: Path, name: str):
    rows = [f"{i},{x}" for i, x in enumerate(X[:, 0])]
    assert "only numbers the rows" in told(read(write(tmp_path, "\n".join([f"{name},x", *rows]))))


def test_an_unnamed_column_gets_a_name(tmp_path: Path):
    assert read(write(tmp_path, lines(header=",b,c"))).schema.columns == ("column 1", "b", "c")


@pytest.mark.parametrize("hole", ["", "NaN", "nan", "NA", "null", "inf", "-Infinity".lower(), "?"])
def test_holes_are_counted_and_the_first_is_located(tmp_path: Path, hole: str):
    rows = lines().split("\n")
    rows[4] = f"1.0,{hole},2.0"
    rows[9] = f"{hole},1.0,2.0"
    if hole == "-infinity":
        rows[4], rows[9] = (
            rows[4].replace("-infinity", "-inf"),
            rows[9].replace("-infinity", "-inf"),
        )
    refused(write(tmp_path, "\n".join(rows)), r"2 empty.* first at line 5, column 'b'; drop")


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("1,red,3", r"line 5, column 'b' holds 'red', not a number; drop"),
        ("1,2", r"line 5 has 2 cells, the first row 3"),
        ("1,2,3,4", r"line 5 has 4 cells"),
        ("1,1_0,3", "holds '1_0'"),
        ("1,0x10,3", "holds '0x10'"),
        ("1,1e999,3", "too large for float64"),
        ("1," + "y" * 10**4 + ",3", "holds 'yyy"),
        ('1,"2,3', "line|not CSV|cells"),
    ],
)
def test_a_bad_row_is_located(tmp_path: Path, row: str, words: str):
    rows = lines().split("\n")
    rows[4] = row
    refused(write(tmp_path, "\n".join(rows)), words)


def test_decimal_commas_are_refused_with_the_remedy(tmp_path: Path):
    content = "a;b\n" + "".join(f"{i},5;{i},25\n" for i in range(20))
    refused(write(tmp_path, content), "line 2, column 'a' holds '0,5'.*decimal points")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty file"),
        (b"\n\n  \n", "no rows"),
        (b"a,b,c\n", "a header but no rows"),
        (b"\x00\x01\x02,3\n", "binary file"),
        (lines().encode("utf-16"), "UTF-16"),
        (b"a,a\n" + b"1,2\n3,4\n" * 10, "two columns called 'a'"),
        (b"x" * 200_000, "not CSV|no rows"),
        (b"\xff\xd8\xff\xe0 1,2\n3,4", "number|cells|no rows|distinct"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path: Path, content: bytes, words: str):
    refused(write(tmp_path, content), words)


def test_a_large_table_is_read_fast_and_exactly(tmp_path: Path):
    x = rng.normal(size=(20_000, 8))
    np.savetxt(tmp_path / "x.csv", x, delimiter=",", fmt="%.17g")
    data = read(tmp_path / "x.csv")
    assert len(data.train) == 16_000
    assert read(x).fingerprint == data.fingerprint


def test_a_mapping_and_things_like_data_frames_are_tables():
    columns = {"a": X[:, 0], "b": X[:, 1].tolist(), "c": X[:, 2]}

    class Frame:
        columns = ("a", "b", "c")

        def __getitem__(self, name: str) -> SimpleNamespace:
            return SimpleNamespace(to_numpy=lambda: np.asarray(columns[name]))

    pyarrow = pytest.importorskip("pyarrow")
    prints = {read(s).fingerprint for s in (columns, Frame(), pyarrow.table(columns))}
    assert len(prints) == 1
    assert read(columns).schema.columns == ("a", "b", "c")


def test_narrow_columns_stay_narrow():
    columns = {"a": X[:, 0].astype(np.float32), "b": X[:, 1].astype(np.float16)}
    assert read(columns).schema.precision == "float32"


@pytest.mark.parametrize(
    ("column", "words"),
    [
        (["red"] * 20, "not numeric: row 0 holds 'red'"),
        ([1.0, None] * 10, "10 missing cells"),
        ([1.0, float("nan")] * 10, "10 missing"),
        ([1.0] * 19, "differ in length"),
        (np.ones((20, 2)), "one number a row"),
        ([1 + 2j] * 20, "not numeric"),
        (np.zeros(20, "M8[s]"), "not numeric"),
    ],
)
def test_a_bad_column_in_memory_is_named(column: object, words: str):
    with pytest.raises(DataError, match=words) as caught:
        read({"a": X[:, 0], "b": column})
    assert "\n" not in str(caught.value)


def test_a_table_without_columns_or_rows_is_refused():
    with pytest.raises(DataError, match="no columns"):
        read({})
    with pytest.raises(DataError, match="no rows"):
        read({"a": []})


def test_parquet_is_read_and_its_faults_are_named(tmp_path: Path):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "x.parquet"
    parquet.write_table(pyarrow.table({"a": X[:, 0], "b": list(range(20))}), path)
    assert read(path).schema.columns == ("a", "b")
    whole = path.read_bytes()
    parquet.write_table(pyarrow.table({"a": X[:, 0], "b": ["u"] * 20}), path)
    refused(path, "column 'b' .* not numeric")
    parquet.write_table(pyarrow.table({"a": X[:, 0], "b": [None, *range(19)]}), path)
    refused(path, "column 'b'|1 missing")
    for content in (whole[:50], b"PAR1" * 5, b"nothing", whole[:-8] + b"\xff" * 8):
        path.write_bytes(content)
        refused(path, "Parquet")


def test_parquet_without_pyarrow_names_the_extra(tmp_path: Path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(MissingExtraError, match=r"lowerbound\[parquet\]"):
        read(write(tmp_path, b"PAR1", "x.parquet"))


def test_values_too_small_to_measure_are_refused_and_not_called_constant():
    values = np.random.default_rng(0).normal(size=(40, 2)) * 1e-300
    with pytest.raises(DataError, match="too little to measure; rescale"):
        read(values)
