"""Rows of a table that come when the model is trained: 7.3 of what tables ask for."""

import math
from pathlib import Path

import numpy as np
import pytest

from lowerbound.data import read, read_examples
from lowerbound.errors import DataError

rng = np.random.default_rng(0)
COUNT = 300
TABLE = {
    "town": rng.choice(["Bern", "Chur", "Zug"], COUNT).tolist(),
    "pay": np.round(np.exp(rng.normal(8, 1, COUNT)), 2).tolist(),
    "share": np.round(rng.beta(2, 5, COUNT), 3).tolist(),
    "age": rng.integers(18, 90, COUNT).tolist(),
    "paid": [f"{1 + i % 28:02}.{1 + i % 12:02}.2024" for i in range(COUNT)],
}
SCHEMA = read(TABLE).schema
ROWS = {name: cells[:200] for name, cells in TABLE.items()}


def changed(**cells: object) -> dict:
    """The first rows, the first cells of some columns changed."""
    return {name: [cells[name], *own[1:]] if name in cells else own for name, own in ROWS.items()}


def said(notes: tuple) -> str:
    return "; ".join(map(str, notes))


def test_columns_are_found_by_name_in_any_order_and_others_are_ignored_and_said():
    new = {"extra": [1.5] * 200} | dict(reversed(ROWS.items()))
    examples, notes = read_examples(new, SCHEMA)
    assert examples.x.tolist() == read_examples(ROWS, SCHEMA)[0].x.tolist()
    assert "1 column ignored: the model has none of them (extra)" in said(notes)


def test_a_missing_column_is_refused_unless_it_may_be_gaps():
    new = {name: ROWS[name] for name in ("age", "pay", "share", "paid")}
    with pytest.raises(
        DataError, match=r"lacks 1 of the model's 5 columns: 'town'.*--allow-missing"
    ):
        read_examples(new, SCHEMA)
    examples, notes = read_examples(new, SCHEMA, allow_missing=True)
    assert examples.observed is not None
    assert examples.observed.all(dim=0).tolist() == [False, True, True, True, True]
    assert not examples.observed[:, 0].any()
    assert "1 column missing, read as gaps (town)" in said(notes)
    with pytest.raises(DataError, match="lacks 5"):
        read_examples({"x": [1.0] * 9}, SCHEMA, allow_missing=True)


def test_columns_of_words_and_dates_may_be_gaps_alone():
    empty = {name: [None] * 200 if name in ("town", "paid") else ROWS[name] for name in ROWS}
    examples, notes = read_examples(empty, SCHEMA)
    assert examples.observed.all(dim=0).tolist() == [False, True, True, True, False]
    assert not examples.observed[:, [0, 4]].any()
    assert "400 cells empty, read as gaps: town 200, paid 200" in said(notes)


def test_a_word_that_training_never_saw_is_a_gap_with_a_chance_of_its_own():
    examples, notes = read_examples(changed(town="Basel"), SCHEMA)
    assert "1 cell of 'town' hold what training never saw" in said(notes)
    town = SCHEMA.fields[0]
    assert town.known == 240 and town.levels == 3
    assert examples.unseen[0].tolist() == [-math.log(240 + 3), 0, 0, 0, 0]
    assert not examples.select(slice(1, 3)).unseen.any()
    assert read_examples(ROWS, SCHEMA)[0].unseen is None


def test_a_change_of_what_never_varied_and_an_impossible_number_have_chances_too():
    schema = read({**TABLE, "unit": ["kg"] * COUNT, "site": [7] * COUNT}).schema
    new = {**changed(pay=-4.0), "unit": ["g"] + ["kg"] * 199, "site": [7, None] + [7] * 198}
    examples, _ = read_examples(new, schema)
    chance = examples.unseen[0].tolist()
    assert chance == pytest.approx([0, -math.log(241), 0, 0, 0, -math.log(301), 0])
    assert not examples.unseen[1:].any()


def test_words_that_were_gaps_in_training_are_gaps_later(tmp_path: Path):
    cells = ["off" if i % 12 == 0 else f"{x:.2f}" for i, x in enumerate(rng.normal(size=120))]
    (tmp_path / "t.csv").write_text(
        "a,m\n" + "".join(f"{i % 7},{c}\n" for i, c in enumerate(cells))
    )
    schema = read(tmp_path / "t.csv").schema
    examples, _ = read_examples(tmp_path / "t.csv", schema)
    assert int((~examples.observed).sum()) == 10


@pytest.mark.parametrize(
    ("cells", "column", "words"),
    [
        ({"age": "unknown"}, 3, "1 cell of 'age' read as gaps, for they hold no number: 'unknown'"),
        ({"paid": "soon"}, 4, "they hold no date written %d.%m.%Y: 'soon'"),
        ({"pay": -4.0}, 1, "1 cell of 'pay' not above 0: read as gaps"),
        ({"share": 1.5}, 2, "1 cell of 'share' outside 0 to 1: read as gaps"),
    ],
)
def test_one_cell_of_another_type_is_a_gap_and_said(cells, column, words, tmp_path: Path):
    new = changed(**cells)
    lines = [",".join(new), *(",".join(map(str, row)) for row in zip(*new.values(), strict=True))]
    (tmp_path / "new.csv").write_text("\n".join(lines))
    examples, notes = read_examples(tmp_path / "new.csv", SCHEMA)
    assert examples.observed is not None
    assert (~examples.observed).nonzero().tolist() == [[0, column]]
    assert words in said(notes)


def test_many_cells_of_another_type_are_refused():
    with pytest.raises(DataError, match="200 of 200 cells of 'age' hold no number, such as 'old'"):
        read_examples({**ROWS, "age": ["old"] * 200}, SCHEMA)
    with pytest.raises(DataError, match=r"cells of 'paid' hold no date written %d\.%m\.%Y"):
        read_examples({**ROWS, "paid": ["2024-01-31"] * 200}, SCHEMA)


def test_more_codes_for_gaps_may_be_told_beside_those_of_the_training():
    schema = read({**TABLE, "age": [-99, *TABLE["age"][1:]]}, gaps={"age": [-99]}).schema
    new = {**ROWS, "age": [-99, -1, *ROWS["age"][2:]]}
    examples, _ = read_examples(new, schema, gaps={"age": [-1]})
    assert examples.observed[:3, 3].tolist() == [False, False, True]


def test_dates_of_another_type_are_the_same_dates():
    days = np.array([f"2024-{1 + i % 12:02}-{1 + i % 28:02}" for i in range(200)], "M8[D]")
    typed, _ = read_examples({**ROWS, "paid": days}, SCHEMA)
    assert typed.x.tolist() == read_examples(ROWS, SCHEMA)[0].x.tolist()
