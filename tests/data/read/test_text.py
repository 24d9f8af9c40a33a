"""Texts as people have them: lines of a file, a list in memory."""

import numpy as np
import pytest

import lowerbound as lb
from lowerbound.data import read_examples, texts_of
from lowerbound.data.packed.convert import pack
from lowerbound.data.reading import Reading
from lowerbound.errors import DataError, SettingError, UnknownNameError

LINES = [f"sentence number {i}, said twice" for i in range(40)]


def written(folder, content, name="lines.txt"):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else "\n".join(content).encode())
    return str(path)


def test_lines_are_texts_that_end(tmp_path):
    data = lb.read(written(tmp_path, LINES))
    assert data.schema.describe() == "texts of up to 30 bytes"
    texts = texts_of(
        np.concatenate([p.x.numpy() for p in (data.train, data.validation, data.test)])
    )
    assert sorted(texts) == sorted(LINES)


def test_a_list_of_texts_is_read_as_a_file_of_lines(tmp_path):
    assert lb.read(LINES).fingerprint == lb.read(written(tmp_path, LINES)).fingerprint


@pytest.mark.parametrize("module", ["pandas", "polars", "pyarrow"])
def test_a_column_of_a_data_frame_is_a_list_of_texts(module):
    # "Cannot import schema: ArrowSchema describes non-struct", and a TypeError in AutoVAE
    library = pytest.importorskip(module)
    make = library.array if module == "pyarrow" else library.Series
    assert lb.read(make([*LINES, None])).fingerprint == lb.read(LINES).fingerprint
    if module != "pyarrow":
        assert lb.read(library.Series(range(40))).schema.describe() == "table of 1 whole column"


def test_texts_that_are_missing_are_passed_over_as_empty_ones():
    data = lb.read([*LINES, None, float("nan"), ""])
    assert data.fingerprint == lb.read(LINES).fingerprint
    assert "3 empty lines passed over" in map(str, data.notes)
    examples, _ = read_examples([None, "short"], data.schema)
    assert texts_of(examples.x.numpy()) == ["", "short"]


def test_what_is_no_list_of_texts_is_refused_in_a_line():
    with pytest.raises(DataError, match=r"not Unicode: 'half \\ud800'; mend it"):
        lb.read([*LINES, "half \ud800"])
    with pytest.raises(DataError, match="objects of type 'list_iterator'; give an array, a list"):
        lb.read(iter(LINES))


def test_letters_beyond_ascii_come_back(tmp_path):
    lines = [f"{i} naïve Größe ☃ 雪" for i in range(30)]
    data = lb.read(written(tmp_path, lines))
    assert set(texts_of(data.train.x.numpy())) <= set(lines)


def test_latin_1_is_read_and_said(tmp_path):
    data = lb.read(written(tmp_path, "\n".join(f"Größe {i}" for i in range(30)).encode("latin-1")))
    assert "Latin-1" in str(data.notes)
    assert texts_of(data.train.x.numpy())[0].startswith("Größe")


def test_utf_16_is_read_and_said(tmp_path):
    data = lb.read(written(tmp_path, "\n".join(f"Größe {i}" for i in range(30)).encode("utf-16")))
    assert "UTF-16" in str(data.notes)
    assert texts_of(data.train.x.numpy())[0].startswith("Größe")


def test_a_table_for_a_model_of_texts_is_refused_with_the_way_to_a_column(tmp_path):
    schema = lb.read(LINES).schema
    (tmp_path / "t.csv").write_text("a,b\n" + "".join(f"{i},{i * i}\n" for i in range(20)))
    with pytest.raises(DataError, match="FILE#COLUMN"):
        read_examples(str(tmp_path / "t.csv"), schema)


def test_windows_line_ends_a_mark_and_empty_lines_are_passed_over(tmp_path):
    content = b"\xef\xbb\xbf" + "\r\n\r\n".join(LINES).encode()
    data = lb.read(written(tmp_path, content))
    assert set(texts_of(data.train.x.numpy())) <= set(LINES)
    assert "empty lines" in str(data.notes)


def test_a_binary_file_is_refused_in_a_line(tmp_path):
    with pytest.raises(DataError, match="binary file"):
        lb.read(written(tmp_path, b"GIF8\0\1\2\n" * 20))


def test_a_txt_file_of_numbers_is_still_a_table(tmp_path):
    rows = [f"{i} {i * 0.5}" for i in range(30)]
    assert lb.read(written(tmp_path, rows)).schema.kind != "byte"
    tabs = ["name\tplace"] + [f"word{i % 3}\tother{i % 4}" for i in range(30)]
    assert lb.read(written(tmp_path, tabs, "tabs.txt")).schema.is_table


def test_long_lines_are_left_out_and_said(tmp_path):
    data = lb.read(written(tmp_path, [*LINES, "x" * 100_000]))
    assert data.schema.shape == (31,)
    assert "over 512 bytes" in str(data.notes)
    kept = lb.read(written(tmp_path, [*LINES, "x" * 600]), longest=700)
    assert kept.schema.shape == (601,)


def test_lines_that_are_all_too_long_are_refused_with_the_length_that_keeps_them(tmp_path):
    place = written(tmp_path, [line * 100 for line in LINES])
    with pytest.raises(DataError, match=r"--longest 3000 \(longest=3000\) keeps all of it"):
        lb.read(place)
    assert lb.read(place, longest=3000).schema.shape == (3001,)
    with pytest.raises(SettingError, match="longest is a whole number from 1 on, got -5"):
        lb.read(place, longest=-5)


def test_of_a_folder_each_line_is_a_text_and_it_is_said(tmp_path):
    for part in range(4):
        written(tmp_path, LINES[part::4], f"{part}.txt")
    data = lb.read(tmp_path)
    assert len(data.train) + len(data.validation) + len(data.test) == len(LINES)
    assert "each line of 4 files is a text, and no file is one" in map(str, data.notes)


@pytest.mark.parametrize(
    "told", [{"axes": "hw"}, {"binarize": True}, {"bars": 2}, {"most_genes": 5}, {"stream": True}]
)
def test_what_is_told_of_other_sources_is_refused(tmp_path, told):
    # bytes were cut at 127.5, the others without a word without effect
    with pytest.raises(SettingError, match=r"leave (it|stream) out"):
        lb.read(written(tmp_path, LINES), **told)


@pytest.mark.parametrize("told", [{"longest": 3}, {"bars": 2}, {"most_genes": 5}])
def test_what_is_told_of_texts_tunes_and_cells_is_refused_elsewhere(told):
    with pytest.raises(SettingError, match="leave it out"):
        lb.read(np.ones((20, 3)), **told)


def test_texts_and_tunes_are_not_packed(tmp_path):
    # lines were packed as a table, which ended in advice on its header
    with pytest.raises(SettingError, match="texts and tunes are kept in memory"):
        pack(written(tmp_path, LINES), tmp_path / "out", Reading())


def test_new_texts_are_stored_as_those_of_the_training(tmp_path):
    schema = lb.read(written(tmp_path, LINES)).schema
    examples, notes = read_examples(["short", "y" * 50], schema)
    assert texts_of(examples.x.numpy()) == ["short", "y" * 30]
    assert "cut after 30 bytes" in str(notes)


def test_a_recipe_for_vectors_refuses_texts(tmp_path):
    with pytest.raises(SettingError, match="use text-vae"):
        lb.catalogue.build("vae", lb.read(LINES).schema)


def test_batches_hold_texts_of_about_one_length(tmp_path):
    rng = np.random.default_rng(0)
    lines = ["z" * int(n) + str(i) for i, n in enumerate(rng.integers(1, 60, 600))]
    train = lb.read(lines).train
    sizes = [(batch.x != 0).sum(dim=1).float() for batch in train.batches(16)]
    within = float(np.mean([float(one.std()) for one in sizes]))
    assert within < 0.3 * float(train.lengths.float().std())
    together = sorted(text for batch in train.batches(16) for text in texts_of(batch.x.numpy()))
    assert together == sorted(texts_of(train.x.numpy()))


def test_a_column_of_a_table_is_read_as_texts(tmp_path):
    rows = ["id,text,stars", *(f'{i},"{line}",{i % 5}' for i, line in enumerate(LINES)), "99,,3"]
    path = written(tmp_path, rows, "reviews.csv")
    data = lb.read(f"{path}#text")
    assert data.fingerprint == lb.read(LINES).fingerprint
    assert "1 empty lines" in str(data.notes[0])
    with pytest.raises(UnknownNameError, match="text"):
        lb.read(f"{path}#texts")


def test_a_table_without_its_texts_names_the_way_to_them(tmp_path):
    # five kinds of stars were all that was said to be left of 40 reviews
    texts = [line.replace(",", ";") for line in [*LINES, *LINES[:5]]]
    rows = [f"{number % 5},{text}" for number, text in enumerate(texts)]
    place = written(tmp_path, ["stars,review", *rows], "reviews.csv")
    with pytest.raises(DataError, match=r"5 distinct .*'review' is left out, FILE#review reads it"):
        lb.read(place)
    wide = written(tmp_path, ["n,review", *(f"{n}.5,{r}" for n, r in enumerate(rows))], "wide.csv")
    assert any("FILE#review reads texts" in str(note) for note in lb.read(wide).notes)


def test_fasta_and_smiles_are_read_as_strings(tmp_path):
    bases = ["".join("ACGT"[(i >> k) % 2 + k % 3] for k in range(29)) for i in range(1, 30)]
    fasta = "".join(f">seq {i}\n{one[:10]}\n{one[10:]}\n" for i, one in enumerate(bases))
    data = lb.read(written(tmp_path, fasta.encode(), "genes.fasta"))
    assert set(texts_of(data.train.x.numpy())) <= set(bases)
    assert data.schema.shape == (30,)
    smiles = "".join(f"{'C' * i}O name{i}\n" for i in range(1, 30))
    data = lb.read(written(tmp_path, smiles.encode(), "set.smi"))
    assert set(texts_of(data.train.x.numpy())) <= {"C" * i + "O" for i in range(1, 30)}


def test_names_of_sequences_and_molecules_come_back(tmp_path):
    # they were lost: rows of codes and scores could be told by their place alone
    fasta = "".join(f">id{i} of a gene\n{'ACGT'[i % 4] * (i + 1)}\n" for i in range(30))
    data = lb.read(written(tmp_path, fasta.encode(), "genes.fasta"))
    part = data.train
    lengths = (part.x != 0).sum(dim=1).tolist()
    assert part.row_names == tuple(f"id{length - 1}" for length in lengths)
    smiles = "".join(f"{'C' * i}O name {i}\n" for i in range(1, 30)) + f"{'C' * 60}\n\n"
    place = written(tmp_path, smiles.encode(), "set.smi")
    examples, _ = read_examples(place, lb.read(place, longest=40).schema)
    assert examples.row_names == (*(f"name {i}" for i in range(1, 30)), "")
    assert examples.row_label == "name"
