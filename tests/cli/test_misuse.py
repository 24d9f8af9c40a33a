"""Every misuse: the right exit code, exactly one line on stderr, nothing on stdout."""

import errno
import os
from pathlib import Path

import pytest

from lowerbound.cli.failures import describe_failure

MISUSES = [
    (["fi"], 2, "did you mean 'fit'?"),
    (["fit"], 2, "missing argument 'DATA'"),
    (["fit", "digits", "--latent", "3"], 2, "no option --latent; did you mean --latents?"),
    (["fit", "digits", "--latents", "-3"], 2, "latents must be from 1 to 65536, got -3"),
    (["fit", "digits", "--latents", "many"], 2, "--latents"),
    (["fit", "digits", "--epochs", "0"], 2, "epochs must be a whole number of at least 1"),
    (["fit", "digits", "--minutes", "0"], 2, "minutes must be a positive number"),
    (["fit", "digits", "--minutes", "nan"], 2, "minutes must be a positive number"),
    (["fit", "digits", "--epochs", "1", "--minutes", "1"], 2, "exclude each other"),
    (["fit", "digits", "--model", "betavae"], 2, "did you mean 'beta-vae'?"),
    (["fit", "digits", "--set", "latnts=3"], 2, "did you mean 'latents'?"),
    (["fit", "digits", "--set", "beta"], 2, "--set takes key=value"),
    (["fit", "digits", "--set", "hidden=a"], 2, "hidden must be a whole number"),
    (["fit", "digits", "--set", "clip=1", "--set", "clip=2"], 2, "twice"),
    (["fit", "digits", "--latents", "3", "--set", "latents=4"], 2, "the same thing"),
    (["fit", "digits", "--likelihood", "bernouli"], 2, "did you mean 'bernoulli'?"),
    (["fit", "digits", "--likelihood", "gaussian"], 2, "use --likelihood discretized-logistic"),
    (["fit", "digits", "--seed", "-1"], 2, "--seed must be a whole number"),
    (["fit", "digits", "--device", "cuda:99"], 2, "available here: cpu"),
    (["fit", "digits", "--device", "gpu"], 2, "no device 'gpu'; available here: cpu"),
    (["fit", "digits", "--image-size", "big"], 2, "--image-size is HxW"),
    (["fit", "digits", "--image-size", "0x3"], 2, "--image-size is HxW"),
    (["fit", "digts"], 2, "did you mean 'digits'?"),
    (["fit", "nothing.npy"], 1, "no such file or folder"),
    (["data", "--binarize"], 2, "--binarize needs DATA"),
    (["data", "--no-header"], 2, "--header needs DATA"),
    (["fit", "digits", "--pages", "last"], 2, "pages is one of first, examples, channels"),
    (["fit", "digits", "--axes", "chw"], 1, "axes 'chw'"),
    (["fit", "digits", "--gaps", "a"], 2, "--gaps takes COLUMN=..."),
    (["fit", "digits", "--intensity", "a:b"], 2, "--intensity takes LOW:HIGH"),
    (["fit", "digits", "--binarize", "--binarize-dynamic"], 2, "exclude each other"),
    (["catalogue", "vaee"], 2, "did you mean 'vae'?"),
    (["evaluate", "nothing"], 1, "does not exist; fit one with"),
    (["evaluate", "."], 1, "not a run of lowerbound"),
    (["evaluate", "nothing", "--split", "tets"], 2, "did you mean 'test'?"),
    (["evaluate", "nothing", "--samples", "0"], 2, "--samples must be"),
    (["generate", "nothing", "--device", "tpu"], 2, "no device 'tpu'"),
    (["traverse", "nothing", "--units", "a"], 2, "--units takes numbers"),
]


@pytest.mark.parametrize(("arguments", "code", "words"), MISUSES, ids=lambda value: str(value)[:60])
def test_a_misuse_is_one_line(lowerbound, arguments: list[str], code: int, words: str) -> None:
    done = lowerbound(*arguments)
    assert (done.code, done.out) == (code, "")
    assert done.err.startswith("error: ") and done.err.count("\n") == 1 and done.err.endswith("\n")
    assert words in done.err
    assert not list(Path().iterdir())


RUN_MISUSES = [
    (["generate", "RUN", "--count", "0"], 2, "--count must be"),
    (["generate", "RUN", "--where", "a=1"], 2, "for tables; the model takes binary images"),
    (["generate", "RUN", "--temperature", "0"], 2, "--temperature is a number above 0, got 0"),
    (["generate", "RUN", "--count", "100000"], 2, "do not fit on one sheet"),
    (["generate", "RUN", "--count", "1000000000", "--out", "x.npy"], 2, "do not fit in memory"),
    (["generate", "RUN", "--out", "x.jpeg"], 2, "cannot write '.jpeg' here; choose .png"),
    (["generate", "RUN", "--out", "x.csv"], 2, "choose .png, a folder (no suffix), .npy"),
    (["generate", "RUN", "--out", "no/x.png"], 1, "no is not a directory"),
    (["encode", "RUN", "digits"], 1, "the model takes 1x6x5 images"),
    (["encode", "RUN", "digits", "--out", "z.png"], 2, "choose .npy, .csv, .parquet"),
    (["decode", "RUN", "z.npy"], 1, "no such file or folder: 'z.npy'"),
    (["decode", "RUN", "z.txt"], 1, "no file of latents"),
    (["interpolate", "RUN", "--to", "99"], 2, "--to is an index from 0 to 5, got 99"),
    (["interpolate", "RUN", "--from", "-1"], 2, "--from is an index"),
    (["interpolate", "RUN", "--steps", "1"], 2, "--steps must be"),
    (["traverse", "RUN", "--units", "9"], 2, "units are 0 to 2"),
    (["traverse", "RUN", "--reach", "nan"], 2, "--reach must be"),
    (["reconstruct", "RUN", "--count", "0"], 2, "--count must be"),
    (["evaluate", "RUN", "--data", "digits", "--split", "test"], 2, "leave out --split"),
]


@pytest.mark.parametrize(("arguments", "code", "words"), RUN_MISUSES, ids=lambda v: str(v)[:60])
def test_a_misuse_of_a_run_is_one_line(
    lowerbound, images: Path, arguments: list[str], code: int, words: str
) -> None:
    done = lowerbound(*(str(images) if word == "RUN" else word for word in arguments))
    assert (done.code, done.out) == (code, "")
    assert done.err.startswith("error: ") and done.err.count("\n") == 1
    assert words in done.err
    assert not list(Path().iterdir())


def test_markup_and_control_characters_are_shown_and_not_obeyed(lowerbound) -> None:
    done = lowerbound("data", "[red]x\x1b[31m\u202e\n[/red].npy")
    assert done.code == 1
    assert done.err.count("\n") == 1 and "\x1b" not in done.err and "\u202e" not in done.err
    assert "[red]x" in done.err and "[/red].npy" in done.err


def test_a_name_that_is_no_text_is_shown_escaped(lowerbound) -> None:
    done = lowerbound("fit", os.fsdecode(b"caf\xe9.npy"))
    assert done.code == 1 and done.err.count("\n") == 1 and "caf" in done.err


@pytest.mark.parametrize(
    "arguments", [["--debug", "evaluate", "no"], ["evaluate", "no", "--debug"]]
)
def test_debug_shows_the_traceback_wherever_it_stands(lowerbound, arguments: list[str]) -> None:
    done = lowerbound(*arguments)
    assert done.code == 1
    assert done.err.startswith("Traceback") and done.err.splitlines()[-1].startswith("error: no ")


def test_an_unexpected_error_is_one_line_that_names_debug(lowerbound, monkeypatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("first\nsecond")

    monkeypatch.setattr("lowerbound.data.read", broken)
    done = lowerbound("data", "digits")
    assert done.code == 1
    line = "unexpected ZeroDivisionError: first; run again with --debug for the traceback"
    assert done.err == f"error: {line}\n"


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (KeyboardInterrupt(), 130, "interrupted"),
        (MemoryError(), 1, "out of memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: 9"), 1, "out of memory"),
        (OSError(errno.ENOSPC, "No space", "/x"), 1, "no space left on the disk for /x"),
        (PermissionError(errno.EACCES, "Permission denied", "/x"), 1, "/x: permission denied"),
    ],
)
def test_errors_of_the_machine_are_told_plainly(
    error: BaseException, code: int, words: str
) -> None:
    line, found = describe_failure(error)
    assert found == code and words in line
