"""`lowerbound fit`: what it says, what it writes, what it leaves alone."""

import errno
import json
import os
import shlex
import sys
import types
from pathlib import Path

import numpy as np
import pytest

from lowerbound.runs import load
from lowerbound.training import Execution, fit

TINY = ["--epochs", "1", "--set", "hidden=8", "--latents", "3", "--no-report"]


def contents(folder: str) -> dict[str, bytes]:
    """Of every file in a folder, by name."""
    return {str(path): path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()}


@pytest.fixture
def report(monkeypatch) -> list[Path]:
    """A report writer in the place of the real one; holds what it wrote."""
    written: list[Path] = []

    def write_report(run, data, evaluation, path=None) -> Path:
        assert data is None or evaluation.split == "test"
        written.append(path or run.path / "report.html")
        written[-1].write_text("report")
        return written[-1]

    fake = types.ModuleType("lowerbound.report")
    fake.write_report = write_report  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "lowerbound.report", fake)
    return written


def test_fit_tells_what_it_found_and_ends_with_the_figures(lowerbound, report) -> None:
    done = lowerbound("fit", "digits", "--epochs", "1", "--set", "hidden=8", "--latents", 3)
    assert done.code == 0
    assert "digits: 1,439 training, 179 validation, 179 test examples" in done.err
    assert "Likelihood discretized-logistic" in done.err and "VAE: p(x, z)" in done.err
    assert "epoch 1/1  bound -" in done.err
    assert "log p(x), at least" in done.out and "±" in done.out
    assert done.out.splitlines()[-1] == "report: runs/digits-auto/report.html"
    assert "lowerbound doctor runs/digits-auto" in done.err
    assert report == [Path("runs/digits-auto/report.html")]
    assert max(map(len, done.out.splitlines())) <= 80


def test_a_run_says_how_it_came_about(lowerbound, place: Path, monkeypatch) -> None:
    data = place / "images.npy"
    command = ["lowerbound", "fit", str(data), "--out", "my run", "--seed", "3", *TINY]
    monkeypatch.setattr(sys, "argv", command)
    assert lowerbound(*command[1:]).code == 0
    spec = load("my run").spec
    assert shlex.split(shlex.join(spec.command)) == command
    assert spec.seed == 3 and spec.result["stopped"] == "epochs"
    assert spec.result["precision"] == "float32" and spec.result["compiled"] is False
    assert (spec.data["location"], spec.data["options"]) == (str(data), {})
    assert spec.settings["latents"] == 3 and spec.settings["likelihood"] == "bernoulli"


def test_json_is_all_that_stdout_holds(lowerbound, place: Path, report) -> None:
    arguments = [word for word in TINY if word != "--no-report"]
    done = lowerbound("fit", place / "images.npy", "--out", "run", "--json", "--quiet", *arguments)
    assert (done.code, done.err) == (0, "")
    found = json.loads(done.out)
    assert {"run", "recipe", "settings", "seed", "stopped", "best_epoch"} <= set(found)
    assert found["evaluation"]["log_likelihood"]["unit"] == "nats per example"
    assert found["report"] == "run/report.html"


def test_default_names_are_counted_and_never_overwritten(lowerbound, place: Path) -> None:
    for _ in range(2):
        assert lowerbound("fit", place / "images.npy", *TINY, "--quiet").code == 0
    assert sorted(os.listdir("runs")) == ["images-auto", "images-auto-2"]


def test_the_same_seed_gives_the_same_run(lowerbound, place: Path) -> None:
    for name in ("a", "b"):
        lowerbound("fit", place / "images.npy", "--out", name, *TINY, "--quiet")
    a, b = (load(name).model.state_dict() for name in ("a", "b"))
    assert all(bool((a[name] == b[name]).all()) for name in a)


def test_an_existing_run_is_refused_and_intact(lowerbound, place: Path) -> None:
    assert lowerbound("fit", place / "images.npy", "--out", "run", *TINY).code == 0
    before = contents("run")
    done = lowerbound("fit", place / "images.npy", "--out", "run", *TINY)
    assert done.code == 1 and "or --force to replace it" in done.err and done.err.count("\n") == 1
    assert contents("run") == before
    assert lowerbound("fit", place / "images.npy", "--out", "run", "--force", *TINY).code == 0


def test_a_directory_of_other_things_is_never_replaced(lowerbound, place: Path) -> None:
    Path("mine").mkdir()
    Path("mine/thesis.tex").write_text("all of it")
    done = lowerbound("fit", place / "images.npy", "--out", "mine", "--force", *TINY)
    assert done.code == 1 and "left alone" in done.err
    assert os.listdir("mine") == ["thesis.tex"]


def test_data_that_cannot_be_used_leaves_nothing_behind(lowerbound) -> None:
    np.save("few.npy", np.zeros((3, 2)))
    done = lowerbound("fit", "few.npy", "--out", "run", *TINY)
    assert done.code == 1 and done.err.count("\n") == 1
    assert os.listdir() == ["few.npy"]


def test_a_full_disk_leaves_the_old_run_as_it_was(lowerbound, place: Path, monkeypatch) -> None:
    lowerbound("fit", place / "images.npy", "--out", "run", *TINY)
    before = contents("run")
    replace = os.replace

    def full(source, target, **more) -> None:
        if str(target).endswith("weights.safetensors"):
            raise OSError(errno.ENOSPC, "No space left on device")
        replace(source, target, **more)

    monkeypatch.setattr(os, "replace", full)
    done = lowerbound("fit", place / "images.npy", "--out", "run", "--force", "--quiet", *TINY)
    assert done.code == 1 and "no space left" in done.err and done.err.count("\n") == 1
    assert contents("run") == before
    assert os.listdir() == ["run"]


def test_a_training_that_leaves_the_numbers_keeps_its_last_good_weights(
    lowerbound, place: Path, monkeypatch
) -> None:
    from lowerbound.training.trainer import Trainer

    epoch = Trainer.epoch

    def breaks(self, callbacks) -> None:
        if self.progress.history:
            for parameter in self.stepper.parameters:
                parameter.data.fill_(float("nan"))
        epoch(self, callbacks)

    monkeypatch.setattr(Trainer, "epoch", breaks)
    tiny = ["5" if word == "1" else word for word in TINY]
    done = lowerbound("fit", place / "images.npy", "--out", "run", "--quiet", *tiny)
    assert done.code == 1 and "not finite" in done.err and done.err.count("\n") == 1
    assert "run" in done.err.split()[-1] and load("run").spec.result["epochs"] == 1


def test_a_report_that_fails_does_not_take_the_run_with_it(
    lowerbound, place: Path, report, monkeypatch
) -> None:
    def broken(*_: object) -> None:
        raise ValueError("no ink")

    monkeypatch.setattr(sys.modules["lowerbound.report"], "write_report", broken)
    arguments = [word for word in TINY if word != "--no-report"]
    done = lowerbound("fit", place / "images.npy", "--out", "run", "--quiet", *arguments)
    assert done.code == 1 and "log p(x), at least" in done.out
    assert "warning: the run is whole in run" in done.err and "no ink" in done.err
    assert load("run").spec.result["stopped"] == "epochs"


def test_a_binarized_run_reads_its_data_back_in_the_same_way(lowerbound) -> None:
    grey = np.random.default_rng(0).integers(0, 256, (64, 6, 6), dtype=np.uint8)
    np.save("grey.npy", grey)
    assert lowerbound("fit", "grey.npy", "--binarize", "--out", "run", *TINY).code == 0
    done = lowerbound("evaluate", "run", "--json")
    assert (done.code, done.err) == (0, "") and json.loads(done.out)["split"] == "test"


def test_report_prints_where_it_is(lowerbound, images: Path, report, tmp_path: Path) -> None:
    out = tmp_path / "r.html"
    assert lowerbound("report", images, "--samples", "2", "--out", out) == (0, f"{out}\n", "")
    again = lowerbound("report", images, "--samples", "2", "--out", out)
    assert again.code == 1 and "exists" in again.err
    assert lowerbound("report", images, "--samples", "2", "--out", out, "--force").code == 0
    assert lowerbound("report", images, "--out", "notes.txt").code == 2


def test_bits_drawn_anew_are_recorded_and_the_run_is_read_again(lowerbound) -> None:
    levels = np.random.default_rng(0).integers(0, 256, (64, 6, 5)).astype(np.uint8)
    np.save("grey.npy", levels)
    done = lowerbound("fit", "grey.npy", "--binarize-dynamic", "--out", "run", *TINY)
    assert done.code == 0
    spec = json.loads(Path("run/spec.json").read_text())
    assert spec["schema"]["reading"]["binarize"] == "dynamic"
    assert spec["schema"]["white"] == 255.0
    assert "drawn 0 or 1: a cell is 1 with chance grey level / 255" in done.err
    assert lowerbound("evaluate", "run", "--samples", 5).code == 0
    assert lowerbound("reconstruct", "run", "grey.npy", "--out", "back.png").code == 0
    assert lowerbound("fit", "--resume", "run", "--epochs", 2, "--no-report").code == 0
    both = lowerbound("fit", "grey.npy", "--binarize", "--binarize-dynamic")
    assert both.code == 2 and "exclude each other" in both.err


def test_a_gradient_can_be_named(lowerbound) -> None:
    np.save("bits.npy", np.random.default_rng(0).integers(0, 2, (64, 6, 5)).astype(np.uint8))
    for model, gradient in (("iwae", "dreg"), ("iwae", "path"), ("vae", "path")):
        out, named = f"{model}-{gradient}", f"gradient={gradient}"
        done = lowerbound("fit", "bits.npy", "--model", model, "--set", named, "--out", out, *TINY)
        assert done.code == 0
        assert json.loads(Path(out, "spec.json").read_text())["settings"]["gradient"] == gradient
    refused = lowerbound("fit", "bits.npy", "--model", "vae", "--set", "gradient=dreg")
    assert refused.code == 2 and "no gradient 'dreg'; there are: path, total" in refused.err


def test_a_training_that_is_compiled_first_says_so_and_others_do_not(
    lowerbound, place: Path, monkeypatch
) -> None:

    def fit_compiled(*arguments, **options):
        for callback in options["callbacks"]:
            callback.on_execution(Execution(compile=True))
        return fit(*arguments, **options)

    words = "compiling first"
    assert words not in lowerbound("fit", place / "images.npy", "--out", "run", *TINY).err
    monkeypatch.setattr("lowerbound.cli.train.fit", fit_compiled)
    done = lowerbound("fit", place / "images.npy", "--out", "other", *TINY)
    assert words in done.err and done.err.index(words) < done.err.index("epoch 1/1")


def test_a_precision_that_was_given_up_is_said_at_the_end() -> None:
    """Warnings are not shown on the command line."""
    from torch import nn

    from lowerbound.cli.fit_words import in_words
    from lowerbound.training import Execution, Fit

    why = "float32 after all: in bfloat16 update 1 (epoch 1): log p(x|z) is not finite"
    told = {
        reasons: in_words(
            Fit(nn.Identity(), (), None, "epochs", 0, 1.0, execution=Execution(reasons=reasons))
        )
        for reasons in ((why, "not compiled: 8 updates"), ())
    }
    assert told[(why, "not compiled: 8 updates")] == f"{told[()]}; {why}"
