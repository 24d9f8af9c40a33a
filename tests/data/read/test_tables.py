"""Tables of text, Parquet and Feather, as people's programs write them."""

import gzip
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import feather, parquet

from lowerbound.data import Examples, read, read_examples
from lowerbound.data.raw import Raw
from lowerbound.data.read.header import find_header
from lowerbound.data.read.source import open_source
from lowerbound.data.reading import Written, reading
from lowerbound.errors import DataError, SettingError, UnknownNameError

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


def opened(folder: Path, content: str | bytes, name: str = "x.csv", **told: object) -> Raw:
    return open_source(write(folder, content, name), reading(**told))


def table(*columns: object, header: str | None = None) -> str:
    rows = [",".join(str(cell) for cell in row) for row in zip(*columns, strict=True)]
    return "\n".join([*([header] if header else []), *rows]) + "\n"


def said(raw: Raw) -> str:
    return "; ".join(str(note) for note in raw.notes)


def refused(path: Path, words: str, **told: object) -> None:
    with pytest.raises(DataError, match=words) as caught:
        open_source(path, reading(**told))
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
        (lines("  "), "x.txt"),
        (lines(ending="\r\n"), "x.csv"),
        (lines(ending="\r"), "x.csv"),
        ("\ufeff" + lines(), "x.csv"),
        (lines().encode("utf-16"), "x.csv"),
        (gzip.compress(lines().encode(), mtime=0), "x.csv.gz"),
        ("\n\n" + lines().replace("\n", "\n\n"), "x.csv"),
        (lines().replace("\n", "\n  \n", 3), "x.csv"),
        (lines().rstrip(), "x.csv"),
        (lines().replace(",", " , "), "x.csv"),
        (lines(header='"a","b","c"'), "x.csv"),
        ("# device 7\n# cm\n" + lines(), "x.csv"),
        ("# a,b,c\n" + lines(header=None), "x.csv"),
        (lines().replace("\n", "\n# later\n", 4), "x.csv"),
        (
            "\n".join(",".join(f'"{c}"' for c in line.split(",")) for line in lines().split()),
            "x.csv",
        ),
        (lines(";").replace(".", ","), "x.csv"),
    ],
)
def test_every_dialect_gives_the_same_table(tmp_path: Path, content: str | bytes, name: str):
    raw = opened(tmp_path, content, name)
    assert raw.names == ("a", "b", "c")
    assert (raw.values == X).all()
    assert raw.row_names is None
    assert raw.table is not None
    assert [column.decimals for column in raw.table] == [4, 4, 4]


def test_a_file_without_header_is_vectors(tmp_path: Path):
    raw = opened(tmp_path, lines(header=None))
    assert raw.names is None
    assert (raw.values == X).all()


# ------------------------------------------------------------------------------ the first row

WAVELENGTHS = [str(nm) for nm in range(1100, 1124, 2)]
SPECTRA = 0.5 + 0.01 * rng.normal(size=(30, 12))


def spectra(header: str | None) -> str:
    return table(*SPECTRA.T, header=header)


def test_a_header_of_numbers_is_told_from_the_rows_below_it_and_said(tmp_path: Path):
    raw = opened(tmp_path, spectra(",".join(WAVELENGTHS)))
    assert raw.names == tuple(WAVELENGTHS)
    assert (raw.values == SPECTRA).all()
    assert "steps of its own" in said(raw)
    assert "--no-header" in said(raw)


def test_what_the_first_row_is_can_be_told(tmp_path: Path):
    raw = opened(tmp_path, spectra(",".join(WAVELENGTHS)), header=False)
    assert raw.names is None
    assert len(raw) == 31
    assert "names of the columns" not in said(raw)
    raw = opened(tmp_path, lines(header=None), header=True)
    assert raw.names == tuple(str(cell) for cell in X[0])
    assert len(raw) == 19


def test_a_first_row_of_another_size_is_data_and_said(tmp_path: Path):
    raw = opened(tmp_path, table(*(1000 * rng.normal(size=(1, 6))).T) + table(*SPECTRA[:, :6].T))
    assert raw.names is None
    assert "of another size" in said(raw)
    assert "--header" in said(raw)


def test_rows_that_all_ascend_have_no_header(tmp_path: Path):
    raw = opened(tmp_path, table(*np.cumsum(rng.random((40, 10)), axis=1).T))
    assert raw.names is None
    assert said(raw) == ""


def test_numbers_alone_are_rarely_taken_for_a_header():
    """Of 1,000 random tables without a header only those that begin with 0 1 2 lose a row."""
    for seed in range(1000):
        r = np.random.default_rng(seed)
        shape = int(r.integers(6, 40)), int(r.integers(3, 12))
        values = r.normal(size=shape) if seed % 2 else r.integers(0, 5, shape)
        found = find_header([[str(cell) for cell in row] for row in values], None)
        assert found.in_row == (values[0] == np.arange(shape[1])).all(), seed


def test_a_quoted_first_row_of_numbers_is_the_names(tmp_path: Path):
    raw = opened(tmp_path, lines(header='"1","5","3"'))
    assert raw.names == ("1", "5", "3")
    assert "quoted" in said(raw)


def test_running_numbers_are_taken_for_names_and_told(tmp_path: Path):
    raw = opened(tmp_path, lines(header="0,1,2"))
    assert raw.names == ("0", "1", "2")
    assert "names of the columns" in said(raw)


def test_years_among_words_are_names(tmp_path: Path):
    assert opened(tmp_path, lines(header="a,b,2020")).names == ("a", "b", "2020")


def test_words_alone_have_a_header_unless_its_words_come_again(tmp_path: Path):
    words = [["red", "blue"][i % 2] for i in range(30)]
    size = [["small", "large", "huge"][i % 3] for i in range(30)]
    assert opened(tmp_path, table(words, size, header="colour,size")).names == ("colour", "size")
    raw = opened(tmp_path, table(words, size))
    assert raw.names == ("column 1", "column 2")
    assert len(raw) == 30
    assert "its words come again" in said(raw)


def test_a_quoted_name_may_hold_anything(tmp_path: Path):
    raw = opened(tmp_path, lines(header='"a, of ""b""","b\nc",ü'))
    assert raw.names == ('a, of "b"', "b\nc", "ü")
    assert (raw.values == X).all()


def test_names_in_windows_1252_are_read_and_told(tmp_path: Path):
    raw = opened(tmp_path, lines(header="Größe,€,c").encode("cp1252"))
    assert raw.names == ("Größe", "€", "c")
    assert "Windows-1252" in said(raw)


def test_an_unnamed_column_gets_a_name(tmp_path: Path):
    assert opened(tmp_path, lines(header=",b,c")).names == ("column 1", "b", "c")


# ------------------------------------------------------------------------------ cells


def test_each_column_has_its_own_kind_of_cells(tmp_path: Path):
    day = [date(2024, 1, 1) + timedelta(days=int(k)) for k in rng.integers(0, 700, 30)]
    shop = [["web", "shop", "phone"][k] for k in rng.integers(0, 3, 30)]
    age, paid = rng.integers(18, 90, 30), np.round(rng.random(30) * 90, 2)
    cells = [f"{p}" if i % 9 else "" for i, p in enumerate(paid)]
    smokes = rng.random(30) < 0.5
    raw = opened(tmp_path, table(age, cells, shop, day, smokes, header="age,paid,shop,day,smokes"))
    assert raw.table is not None
    words = {column.name: column.categories for column in raw.table}
    assert words["shop"] == ("phone", "shop", "web")
    assert words["smokes"] == ("False", "True")
    assert words["age"] is words["paid"] is words["day"] is None
    assert [column.whole for column in raw.table][:2] == [True, False]
    assert raw.table[1].decimals == 2
    assert [("phone", "shop", "web")[int(code)] for code in raw.values[:, 2]] == shop
    assert (raw.values[:, 3] / 86_400e6 == [(d - date(1970, 1, 1)).days for d in day]).all()
    assert (raw.values[:, 4] == smokes).all()
    gaps = np.isnan(raw.values[:, 1])
    assert (gaps == (np.arange(30) % 9 == 0)).all()
    assert (raw.values[~gaps, 1] == paid[~gaps]).all()
    assert "4 cells empty, read as gaps: paid 4" in said(raw)
    assert raw.reading.written == (Written("day", "%Y-%m-%d"),)


@pytest.mark.parametrize("hole", ["", "NaN", "nan", "NA", "n/a", "null", "None", "?", "-", " "])
def test_holes_are_gaps_and_counted(tmp_path: Path, hole: str):
    rows = lines().split("\n")
    rows[4] = f"1.0,{hole},2.0"
    rows[9] = f"{hole},1.0,2.0"
    raw = opened(tmp_path, "\n".join(rows))
    assert raw.names == ("a", "b", "c")
    assert np.argwhere(np.isnan(raw.values)).tolist() == [[3, 1], [8, 0]]
    assert "2 cells empty" in said(raw)


def test_infinite_cells_are_gaps_and_counted(tmp_path: Path):
    rows = lines().split("\n")
    rows[4], rows[5], rows[6] = "inf,1,2", "1,-inf,2", "1,2,1e999"
    raw = opened(tmp_path, "\n".join(rows))
    assert np.isnan(raw.values).sum() == 3
    assert "3 cells infinite, read as gaps" in said(raw) and "empty" not in said(raw)


@pytest.mark.parametrize(
    ("cells", "numbers", "words"),
    [
        (["1,234.5", "12.5", "1,234,567"], [1234.5, 12.5, 1234567], "thousands separators"),
        (["12.5%", "3 %", "-7%"], [12.5, 3, -7], "% signs"),
        (["€ 12.5", "€3", "4 €"], [12.5, 3, 4], "€ signs"),
        (["$1,000", "$25", "$7.50"], [1000, 25, 7.5], "$ signs"),
    ],
)
def test_numbers_as_people_write_them(tmp_path: Path, cells: list, numbers: list, words: str):
    raw = opened(tmp_path, table([f'"{c}"' for c in cells], [1.5, 2.5, 3.5], header="a,b"))
    assert raw.values[:, 0].tolist() == numbers
    assert words in said(raw)


def test_decimal_commas_are_read_with_their_thousands_and_said(tmp_path: Path):
    raw = opened(tmp_path, "a;b\n1.234,50;1,25\n0,5;2.000,75\n12,0;3,5\n")
    assert raw.values.tolist() == [[1234.5, 1.25], [0.5, 2000.75], [12, 3.5]]
    assert "decimal commas" in said(raw)


def test_the_decimal_sign_can_be_told(tmp_path: Path):
    content = "a;b\n1,234;1\n2,345;2\n3,456;3\n"
    assert opened(tmp_path, content).values[:, 0].tolist() == [1.234, 2.345, 3.456]
    assert opened(tmp_path, content, decimal=".").values[:, 0].tolist() == [1234, 2345, 3456]


@pytest.mark.parametrize(
    ("cells", "days"),
    [
        (["31.12.1970", "1.1.1971"], [364, 365]),
        (["12/31/1970", "1/1/1971"], [364, 365]),
        (["31/12/1970", "1/1/1971"], [364, 365]),
        (['"December 31, 1970"', '"January 1, 1971"'], [364, 365]),
        (["1970-01-01T00:00:00Z", "1970-01-01T12:00:00+06:00"], [0, 0.25]),
        (["06:00", "12:00"], [0.25, 0.5]),
        (["1970-01-02 12:00:00", "1970-01-01 06:00:00"], [1.5, 0.25]),
    ],
)
def test_dates_of_many_ways_are_days(tmp_path: Path, cells: list[str], days: list[float]):
    raw = opened(tmp_path, table(cells, [1.5, 2.5], header="day,x"), row_names="")
    assert (raw.values[:, 0] / 86_400e6).tolist() == days
    assert raw.table is not None and raw.table[0].form is not None


def test_a_few_words_among_numbers_are_gaps_and_said_and_can_be_kept(tmp_path: Path):
    cells = [f"{v:.2f}" for v in rng.normal(size=40)]
    cells[3], cells[7] = "error", "1_0"
    content = table(cells, range(40), header="a,b")
    raw = opened(tmp_path, content)
    assert np.flatnonzero(np.isnan(raw.values[:, 0])).tolist() == [3, 7]
    assert "2 cells of 'a' read as gaps, for they hold no number: 'error', '1_0'" in said(raw)
    kept = opened(tmp_path, content, columns={"a": "categorical"})
    assert kept.table is not None
    assert "error" in (kept.table[0].categories or ())


def test_codes_for_missing_cells_can_be_told(tmp_path: Path):
    content = table(
        [1.5, 9999, 3, -1], ["u", "v", "none of these", "u"], [9999, 1, 2, 3], header="a,b,c"
    )
    raw = opened(tmp_path, content, gaps={"a": [9999, -1], "b": ["none of these"]}, row_names="")
    assert np.isnan(raw.values).tolist() == [
        [False, False, False],
        [True, False, False],
        [False, True, False],
        [True, False, False],
    ]
    everywhere = opened(tmp_path, content, gaps={"*": [9999]}, row_names="")
    assert np.argwhere(np.isnan(everywhere.values)).tolist() == [[0, 2], [1, 0]]
    with pytest.raises(UnknownNameError, match="no column 'aa'"):
        opened(tmp_path, content, gaps={"aa": [1]})


def test_words_that_hardly_repeat_are_left_out_and_said(tmp_path: Path):
    note = [f"text {i % 25}" for i in range(30)]
    content = table(rng.normal(size=30), note, rng.normal(size=30), header="a,note,b")
    raw = opened(tmp_path, content)
    assert raw.names == ("a", "b")
    assert "1 column left out, text: hardly any of their words comes twice" in said(raw)
    assert opened(tmp_path, content, columns={"note": "categorical"}).names == ("a", "note", "b")


def test_whole_numbers_may_be_told_to_be_words(tmp_path: Path):
    raw = opened(
        tmp_path, table([7, 8, 7, 9], X[:4, 0], header="a,b"), columns={"a": "categorical"}
    )
    assert raw.table is not None
    assert raw.table[0].categories == ("7", "8", "9")


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("1,2", r"line 5 has 2 cells, the first row 3"),
        ("1,2,3,4", r"line 5 has 4 cells"),
        ('1,"2,3', "line|not CSV|cells"),
    ],
)
def test_a_row_of_another_length_is_located(tmp_path: Path, row: str, words: str):
    rows = lines().split("\n")
    rows[4] = row
    refused(write(tmp_path, "\n".join(rows)), words)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty file"),
        (b"\n\n  \n", "no rows"),
        (b"a,b,c\n", "a header but no rows"),
        (b"\x00\x01\x02,3\n", "binary file"),
        (b"a,a\n" + b"1,2\n3,4\n" * 10, "two columns called 'a'"),
        (b"x" * 200_000, "not CSV|no rows"),
        (gzip.compress(lines().encode(), mtime=0)[:60], "cannot read"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path: Path, content: bytes, words: str):
    refused(write(tmp_path, content), words)


# ------------------------------------------------------------------------------ names of rows


@pytest.mark.parametrize("name", ["", "Unnamed: 0", "id", "Index", "row"])
def test_a_column_that_numbers_the_rows_names_them(tmp_path: Path, name: str):
    content = table(range(7, 27), X[:, 0], X[:, 1], header=f"{name},x,y")
    raw = opened(tmp_path, content)
    assert raw.names == ("x", "y")
    assert raw.row_names == tuple(str(i) for i in range(7, 27))
    assert raw.row_label == name
    assert "it names the rows; --row-names none" in said(raw)
    assert len(opened(tmp_path, content, row_names="").names or ()) == 3


def test_the_row_names_of_r_have_no_name(tmp_path: Path):
    raw = opened(tmp_path, table([f"s{i}" for i in range(20)], X[:, 0], X[:, 1], header="x,y"))
    assert raw.names == ("x", "y")
    assert raw.row_names is not None
    assert raw.row_names[3] == "s3"
    assert raw.row_label == ""


def test_words_that_never_repeat_name_the_rows(tmp_path: Path):
    names = [f"AAAC{i:03d}" for i in range(20)]
    raw = opened(tmp_path, table(X[:, 0], names, header="x,barcode"))
    assert raw.names == ("x",)
    assert raw.row_names == tuple(names)
    assert raw.row_label == "barcode"


def test_a_column_may_be_told_to_name_the_rows(tmp_path: Path):
    raw = opened(tmp_path, lines(), row_names="b")
    assert raw.names == ("a", "c")
    assert raw.row_names == tuple(str(cell) for cell in X[:, 1])
    with pytest.raises(UnknownNameError, match="no column 'd'"):
        opened(tmp_path, lines(), row_names="d")


def test_a_table_of_names_alone_is_refused(tmp_path: Path):
    refused(
        write(tmp_path, table([f"s{i}" for i in range(30)], header="name")), "no columns to model"
    )


# ------------------------------------------------------------------------------ Parquet, Feather


def test_parquet_and_feather_are_read_and_their_faults_are_named(tmp_path: Path):
    frame = pa.table({"a": X[:, 0], "b": [None, *range(19)], "c": ["u", "v"] * 10})
    parquet.write_table(frame, tmp_path / "x.parquet")
    feather.write_feather(frame, str(tmp_path / "x.feather"))
    for name in ("x.parquet", "x.feather"):
        raw = open_source(tmp_path / name)
        assert raw.names == ("a", "b", "c")
        assert (raw.values[:, 0] == X[:, 0]).all()
        assert np.isnan(raw.values[0, 1])
        assert (raw.values[1:, 1] == range(19)).all()
        assert raw.table is not None
        assert raw.table[2].categories == ("u", "v")
    path = tmp_path / "x.parquet"
    whole = path.read_bytes()
    for content in (whole[:50], b"PAR1" * 5, b"nothing", whole[:-8] + b"\xff" * 8):
        path.write_bytes(content)
        refused(path, "Parquet")


def test_the_index_of_a_pandas_frame_names_the_rows(tmp_path: Path):
    frame = pa.table({"a": X[:, 0], "__index_level_0__": rng.permutation(20)})
    parquet.write_table(frame, tmp_path / "x.parquet")
    raw = open_source(tmp_path / "x.parquet")
    assert raw.names == ("a",)
    assert raw.row_label == ""
    named = pa.table({"key": rng.permutation(20), "a": X[:, 0]})
    named = named.replace_schema_metadata({"pandas": '{"index_columns": ["key"]}'})
    parquet.write_table(named, tmp_path / "y.parquet")
    raw = open_source(tmp_path / "y.parquet")
    assert raw.names == ("a",)
    assert raw.row_label == "key"
    assert raw.row_names == tuple(str(key) for key in named["key"].to_pylist())


def test_a_large_table_is_read_exactly(tmp_path: Path):
    x = rng.normal(size=(5_000, 8))
    np.savetxt(tmp_path / "x.csv", x, delimiter=",", fmt="%.17g")
    assert (open_source(tmp_path / "x.csv").values == x).all()


# ------------------------------------------------------------------------------ new data


TRAINING = table(
    rng.normal(size=40),
    [["web", "shop", "phone"][i % 3] for i in range(40)],
    [f"{1 + i % 28}/{1 + i % 12}/2024" for i in range(40)],
    header="x,shop,day",
)


def test_a_few_new_rows_are_read_as_the_many_of_the_training_were(tmp_path: Path):
    """Three words that never repeat are no names of rows, and 3/4 is the third of April."""
    schema = read(write(tmp_path, TRAINING)).schema
    assert schema.reading.written == (Written("day", "%d/%m/%Y"),)
    content = "day,x,shop\n3/4/2024,1,web\n4/3/2024,2,shop\n5/1/2024,3,phone\n"
    examples, notes = read_examples(write(tmp_path, content, "new.csv"), schema)
    assert isinstance(examples, Examples)
    assert examples.row_names is None
    codes = {"phone": 0, "shop": 1, "web": 2}
    days = [(date(2024, m, d) - date(1970, 1, 1)).days for d, m in ((3, 4), (4, 3), (5, 1))]
    assert examples.x.tolist() == [
        [x, codes[shop], day]
        for x, shop, day in zip([1, 2, 3], ["web", "shop", "phone"], days, strict=True)
    ]
    assert "hardly" not in str(notes)


def test_the_header_of_a_new_file_is_known_by_the_names_of_the_training(tmp_path: Path):
    """One spectrum under its wavelengths is one row, not two."""
    content = spectra(",".join(WAVELENGTHS))
    schema = read(write(tmp_path, content)).schema
    one = "\n".join(content.split("\n")[:2])
    examples, _ = read_examples(write(tmp_path, one, "new.csv"), schema)
    assert isinstance(examples, Examples)
    assert examples.x.tolist() == [SPECTRA[0].tolist()]


def test_words_where_training_had_numbers_are_refused_and_few_are_gaps(tmp_path: Path):
    schema = read(write(tmp_path, TRAINING)).schema
    new = "x,shop,day\nerror,web,1/1/2024\n2,web,1/1/2024\n"
    examples, notes = read_examples(write(tmp_path, new, "new.csv"), schema)
    assert examples.observed is not None
    assert examples.observed[:, 0].tolist() == [False, True]
    assert "1 cell of 'x' read as gaps" in "; ".join(map(str, notes))
    with pytest.raises(DataError, match="2 of 2 cells of 'x' hold no number, such as 'error'"):
        read_examples(write(tmp_path, new.replace("2,web", "u,web"), "new.csv"), schema)


def test_what_is_told_of_other_sources_is_refused(tmp_path: Path):
    for told in ({"image_size": (3, 4)}, {"pages": "first"}, {"axes": "tc"}):
        with pytest.raises(SettingError, match="leave it out"):
            opened(tmp_path, lines(), **told)
    with pytest.raises(SettingError, match="header is for table files"):
        open_source(X, reading(header=False))
