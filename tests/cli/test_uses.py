"""Every use of a run: the happy path, and that nothing is overwritten without being asked."""

import csv
import errno
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

FIGURES = {
    "data", "split", "examples", "samples", "elbo", "log_likelihood", "bits_per_dimension", "rate",
    "distortion", "latents", "active_units", "threshold",
}  # fmt: skip


def test_generate_makes_a_sheet(lowerbound, images: Path) -> None:
    done = lowerbound("generate", images, "--count", 9, "--seed", 1)
    assert (done.code, done.out) == (0, "samples.png\n")
    assert done.err == "9 examples, means of p(x|z), seed 1\n"
    with Image.open("samples.png") as sheet:
        assert sheet.size[0] > 3 * 30


def test_generate_fills_a_folder(lowerbound, images: Path) -> None:
    assert lowerbound("generate", images, "--count", 3, "--out", "new/").code == 0
    assert sorted(os.listdir("new")) == ["00000.png", "00001.png", "00002.png"]
    assert os.listdir() == ["new"]
    assert lowerbound("generate", images, "--count", 2, "--out", "new").code == 1
    assert lowerbound("generate", images, "--count", 2, "--out", "new", "--force").code == 0
    assert sorted(os.listdir("new")) == ["00000.png", "00001.png"]


def test_a_folder_of_other_things_is_left_alone_even_with_force(lowerbound, images: Path) -> None:
    Path("mine").mkdir()
    Path("mine/photo.png").write_text("holiday")
    done = lowerbound("generate", images, "--out", "mine", "--force")
    assert done.code == 1 and "left alone" in done.err
    assert Path("mine/photo.png").read_text() == "holiday"


def test_draws_are_values_of_the_data_and_repeat_under_a_seed(lowerbound, images: Path) -> None:
    for name in ("a.npy", "b.npy"):
        lowerbound("generate", images, "--count", 5, "--draw", "--seed", 7, "--out", name)
    a, b = np.load("a.npy"), np.load("b.npy")
    assert a.dtype == np.uint8 and a.shape == (5, 1, 6, 5) and set(np.unique(a)) <= {0, 1}
    assert (a == b).all()


def test_a_table_is_written_with_its_names_and_its_constant_column(lowerbound, table: Path) -> None:
    assert lowerbound("generate", table, "--count", 4).out == "samples.csv\n"
    names, *rows = csv.reader(Path("samples.csv").read_text().splitlines())
    assert names == ["[red]a", "k", "b,c"]
    assert len(rows) == 4 and all(float(row[1]) == 7 for row in rows)
    assert lowerbound("encode", table, "samples.csv", "--out", "z.npy").code == 0


@pytest.mark.parametrize("name", ["z.npy", "z.csv", "z.parquet"])
def test_what_is_encoded_can_be_decoded(lowerbound, place: Path, images: Path, name: str) -> None:
    if name.endswith("parquet"):
        pytest.importorskip("pyarrow")
    done = lowerbound("encode", images, place / "images.npy", "--out", name, "--scale")
    assert done.code == 0 and done.out == f"{name}\n"
    if name == "z.csv":
        assert Path(name).read_text().startswith("z0,z1,z2,s0,s1,s2\n")
    if name == "z.npy":
        np.save(name, np.load(name)[:, :3])
    assert lowerbound("decode", images, name, "--out", "x.npy").code == 0
    lowerbound("reconstruct", images, place / "images.npy", "--out", "there.npy")
    assert np.array_equal(np.load("x.npy"), np.load("there.npy"))


def test_reconstruct_shows_pairs(lowerbound, images: Path, place: Path) -> None:
    assert lowerbound("reconstruct", images).out == "reconstructions.png\n"
    assert lowerbound("reconstruct", images, place / "images.npy", "--out", "both").code == 0
    assert len(os.listdir("both")) == 64
    with Image.open("both/00000.png") as pair:
        assert pair.size == (10, 6)
        original = np.load(place / "images.npy")[0] * 255
        assert (np.asarray(pair)[:, :5] == original).all()


def test_interpolate_and_traverse_make_one_picture_a_step(lowerbound, images: Path) -> None:
    assert lowerbound("interpolate", images, "--steps", 5, "--out", "way.npy").code == 0
    assert np.load("way.npy").shape == (5, 1, 6, 5)
    assert lowerbound("interpolate", images).out == "interpolation.png\n"
    assert lowerbound("traverse", images, "--units", "2,0", "--out", "t.npy").code == 0
    assert np.load("t.npy").shape == (2, 9, 1, 6, 5)
    done = lowerbound("traverse", images)
    assert done.out == "traversal.png\n" and done.err.startswith("units ")


def test_tables_are_interpolated_and_traversed_as_tables(lowerbound, table: Path) -> None:
    assert lowerbound("interpolate", table).out == "interpolation.csv\n"
    assert lowerbound("traverse", table, "--units", "0").out == "traversal.csv\n"
    assert len(Path("traversal.csv").read_text().splitlines()) == 1 + 9


def test_an_existing_file_is_refused_and_intact(lowerbound, images: Path) -> None:
    Path("samples.png").write_text("mine")
    done = lowerbound("generate", images)
    assert done.code == 1 and "--force to overwrite" in done.err and done.err.count("\n") == 1
    assert Path("samples.png").read_text() == "mine"
    assert lowerbound("generate", images, "--force").code == 0
    assert Path("samples.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("out", ["samples.png", "folder"])
def test_a_full_disk_leaves_the_old_result(lowerbound, images, monkeypatch, out: str) -> None:
    lowerbound("generate", images, "--out", out)
    before = Path(out).read_bytes() if out.endswith("png") else sorted(os.listdir(out))

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    done = lowerbound("generate", images, "--out", out, "--force")
    assert done.code == 1 and "no space left" in done.err and done.err.count("\n") == 1
    assert (Path(out).read_bytes() if out.endswith("png") else sorted(os.listdir(out))) == before
    assert os.listdir() == [out]


def test_evaluate_states_every_figure_with_its_error(lowerbound, images: Path) -> None:
    done = lowerbound("evaluate", images, "--samples", 5)
    assert done.code == 0 and done.err == ""
    assert "6 examples (test), 5 draws" in done.out and "bits per dimension" in done.out
    assert max(map(len, done.out.splitlines())) <= 80


def test_factors_of_other_examples_are_refused_with_both_counts(lowerbound, place, images) -> None:
    Path("factors.csv").write_text("row,column\n1,2\n3,4\n")
    data = place / "images.npy"
    done = lowerbound("evaluate", images, "--data", data, "--factors", "factors.csv")
    assert done.code == 1 and "'factors.csv' has 2 rows, and" in done.err, done.err


def test_evaluate_speaks_json(lowerbound, images: Path, table: Path) -> None:
    found = json.loads(lowerbound("evaluate", images, "--samples", 5, "--json").out)
    assert set(found) >= FIGURES
    assert set(found["elbo"]) == {"mean", "standard_error", "unit", "draw_error"}
    assert found["split"] == "test" and found["samples"] == 5
    found = json.loads(lowerbound("evaluate", table, "--samples", 5, "--json").out)
    assert found["bits_per_dimension"] is None and "density" in found["bits_per_dimension_reason"]


def test_other_data_is_evaluated_whole_and_a_copy_on_its_test_split(
    lowerbound, place: Path, images: Path
) -> None:
    shutil.copy(place / "images.npy", "copy.npy")
    np.save("other.npy", 1 - np.load(place / "images.npy"))
    for name, split, count in (("copy.npy", "test", 6), ("other.npy", "all", 64)):
        done = lowerbound("evaluate", images, "--data", name, "--samples", 2, "--json")
        found = json.loads(done.out)
        assert (found["split"], found["examples"]) == (split, count)


def test_data_that_is_gone_or_changed_is_told(lowerbound, place: Path) -> None:
    shutil.copy(place / "images.npy", "x.npy")
    tiny = ["--epochs", "1", "--set", "hidden=8", "--no-report", "--quiet"]
    assert lowerbound("fit", "x.npy", "--out", "run", *tiny).code == 0
    np.save("x.npy", np.load("x.npy")[:-1])
    done = lowerbound("evaluate", "run", "--samples", 2)
    assert done.code == 0 and done.err.startswith("warning: ") and "has changed" in done.err
    os.remove("x.npy")
    done = lowerbound("evaluate", "run")
    assert done.code == 1 and done.err.count("\n") == 1 and done.err.endswith("with --data\n")


def test_a_run_that_does_not_say_where_its_data_is_asks_for_it(
    lowerbound, place: Path, images: Path
) -> None:
    shutil.copytree(images, "run")
    spec = json.loads(Path("run/spec.json").read_text())
    for location in (None, 7, ["x"], ""):
        spec["data"]["location"] = location
        Path("run/spec.json").write_text(json.dumps(spec))
        done = lowerbound("evaluate", "run")
        assert done.code == 1 and "give it with --data" in done.err and done.err.count("\n") == 1
    done = lowerbound("evaluate", "run", "--data", place / "images.npy", "--samples", 2, "--json")
    assert json.loads(done.out)["split"] == "test"  # known by its fingerprint


def test_pictures_are_resized_as_they_were_in_training(lowerbound) -> None:
    Path("pictures").mkdir()
    generator = np.random.default_rng(0)
    for index in range(20):
        pixels = generator.integers(0, 256, (9, 12, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(f"pictures/{index}.png")
    small = ["--epochs", "1", "--set", "hidden=8", "--image-size", "4x5", "--no-report", "--quiet"]
    assert lowerbound("fit", "pictures", "--out", "run", *small).code == 0
    found = lowerbound("evaluate", "run", "--samples", 2, "--json")
    assert found.err == "" and json.loads(found.out)["examples"] == 2
    assert lowerbound("encode", "run", "pictures/3.png").code == 0
    assert np.load("z.npy").shape == (1, 30)


def test_data_says_what_it_is(lowerbound, place: Path) -> None:
    done = lowerbound("data", place / "table.csv")
    assert done.code == 0 and "table of 2 real columns, 1 constant left out" in done.out
    found = json.loads(lowerbound("data", place / "table.csv", "--json").out)
    assert found["likelihood"] == "binned" and found["constants"] == ["k"]
    assert [field["name"] for field in found["fields"]] == ["[red]a", "b,c"]
    assert found["split"]["counts"] == {"train": 52, "validation": 6, "test": 6}


def test_data_lists_the_named_sets(lowerbound) -> None:
    assert "fashion-small  (here)" in lowerbound("data").out
    assert {"name", "available", "how_to_get"} <= set(
        json.loads(lowerbound("data", "--json").out)[0]
    )


def test_the_catalogue_lists_recipes_and_their_settings(lowerbound) -> None:
    done = lowerbound("catalogue")
    assert "beta-vae  (Beta-VAE, 2017)" in done.out
    names = {recipe["name"] for recipe in json.loads(lowerbound("catalogue", "--json").out)}
    assert names >= {"auto", "vae", "beta-vae", "iwae"}
    found = json.loads(lowerbound("catalogue", "beta-vae", "--json").out)
    beta = next(setting for setting in found["settings"] if setting["name"] == "beta")
    assert beta["default"] == 4.0 and beta["group"] == "objective" and beta["type"] == "number"
    shown = lowerbound("catalogue", "vae").out
    assert "  latents                from data" in shown
    assert "when not to choose it\n" in shown
    # what a part has stands below its name, with its own default
    _, _, mixture = shown.partition("    mixture: A mixture of Gaussians.\n")
    assert mixture.startswith("      prior.components   10 ")
    _, _, vamp = mixture.partition("    vamp: ")
    assert "      prior.components   500 " in vamp.partition("\n  posterior")[0]
    assert max(map(len, shown.partition("--set")[2].splitlines())) < 80
    defaults = {
        setting["builder"]: setting["default"]
        for setting in found["settings"]
        if setting["name"] == "prior.components"
    }
    assert defaults == {"mixture": 10, "vamp": 500}
    prior = next(setting for setting in found["settings"] if setting["name"] == "prior")
    assert {"standard-normal", "mixture", "vamp", "flow"} <= set(prior["choices"])
    for name in names:
        settings = json.loads(lowerbound("catalogue", name, "--json").out)["settings"]
        assert all(len(setting["meaning"]) > 10 for setting in settings)
    assert found["avoid"] and found["differs"]


@pytest.mark.parametrize("command", ["encode", "reconstruct"])
def test_a_result_never_overwrites_the_data_it_is_made_from(
    lowerbound, table: Path, command: str
) -> None:
    lowerbound("generate", table, "--count", 4, "--out", "mine.csv")
    before = Path("mine.csv").read_text()
    done = lowerbound(command, table, "mine.csv", "--out", "./mine.csv", "--force")
    assert done.code == 1 and "is the data being read" in done.err
    assert Path("mine.csv").read_text() == before


@pytest.mark.parametrize("command", [["encode"], ["evaluate", "--data"], ["reconstruct"]])
def test_a_row_beyond_all_measure_is_named_and_not_turned_into_nan(
    lowerbound, table: Path, command: list[str]
) -> None:
    lowerbound("generate", table, "--count", 4, "--out", "mine.csv")
    lines = Path("mine.csv").read_text().splitlines()
    Path("mine.csv").write_text("\n".join([*lines[:3], "1e300,7,0.5", *lines[4:]]) + "\n")
    verb, *option = command
    done = lowerbound(verb, table, *option, "mine.csv")
    assert done.code == 1 and "number 2" in done.err and done.err.count("\n") == 1


@pytest.mark.parametrize("flag", ["--quality", "--ais", "--gaps", "--simulated"])
def test_what_cannot_be_done_is_refused_before_anything_is(lowerbound, images: Path, flag) -> None:
    count = 200 if flag == "--quality" else -1
    done = lowerbound("evaluate", images, "--samples", 5, flag, count)
    assert done.code != 0
    assert done.out == "" and done.err.count("\n") == 1


@pytest.mark.slow
def test_full_leaves_out_what_the_data_does_not_allow(lowerbound, images: Path) -> None:
    asked = ("--samples", 5, "--simulated", 2, "--ais", 2, "--gaps", 2)
    done = lowerbound("evaluate", images, "--full", *asked)
    assert done.code == 0
    assert "sample quality is left out: there are" in done.err
    for words in ("Annealed importance sampling, 2", "loose, 2", "2 examples simulated"):
        assert words in done.out
    assert "How good samples are" not in done.out
    assert max(map(len, done.out.splitlines())) <= 80


def test_every_row_is_scored_by_its_number(lowerbound, table: Path) -> None:
    lowerbound("generate", table, "--count", 4, "--draw", "--out", "mine.csv")
    done = lowerbound("score", table, "mine.csv")
    assert (done.code, done.out) == (0, "scores.csv\n")
    assert "4 rows, median of log p(x) at least" in done.err
    header, *rows = csv.reader(Path("scores.csv").read_text().splitlines())
    assert header == ["row", "elbo", "log_likelihood"]
    assert [row[0] for row in rows] == ["0", "1", "2", "3"]
    assert lowerbound("score", table, "mine.csv").code == 1  # it is there
    lines = Path("mine.csv").read_text().splitlines()
    Path("far.csv").write_text("\n".join([*lines[:3], "1e300,7,0.5", *lines[3:]]) + "\n")
    done = lowerbound("score", table, "far.csv", "--out", "far-scores.csv")
    assert done.code == 0 and done.err.startswith("warning: 1 of 5 rows have no finite bound")
    assert "number 2 (from 0)" in done.err
    _, *found = csv.reader(Path("far-scores.csv").read_text().splitlines())
    assert found[2][0] == "2" and found[2][2] in ("-inf", "")
    assert [row[1:] for row in (*found[:2], *found[3:])] == [row[1:] for row in rows]
    assert lowerbound("score", table, "mine.csv", "--out", "s.npy").code == 2
    assert lowerbound("score", table, "mine.csv", "--out", "mine.csv", "--force").code == 1
