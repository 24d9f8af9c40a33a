"""Runs on disk: old ones stay readable, hostile ones are refused in one line, none runs code."""

import json
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from lowerbound.applications import decode, encode
from lowerbound.errors import OutputError, RunError
from lowerbound.runs import FORMAT_VERSION, RunDirectory, Spec, load
from lowerbound.runs.lock import Lock

FIXTURE = Path(__file__).parent / "fixtures" / "v1"
X = (torch.arange(128).reshape(2, 1, 8, 8) % 17).to(torch.uint8)
Z = torch.tensor([[0.0, 0.0], [1.0, -1.0]])


@pytest.fixture
def run(tmp_path: Path) -> Path:
    shutil.copytree(FIXTURE, tmp_path / "run")
    return tmp_path / "run"


def test_a_run_of_format_version_1_gives_the_numbers_it_always_gave():
    run = load(FIXTURE)
    found = encode(run.model, X)
    assert torch.allclose(found.mean, MEAN, atol=1e-5)
    assert torch.allclose(found.scale, SCALE, atol=1e-5)
    decoded = decode(run.model, Z).flatten(1)[:, [0, 20, 36, 60]]
    assert torch.allclose(decoded, DECODED, atol=1e-4)
    log_px = run.model.likelihood(torch.zeros(1, 2)).log_prob(X)
    assert torch.allclose(log_px, LOG_PX, atol=1e-3)
    assert (run.spec.recipe, run.spec.seed, len(run.history)) == ("vae", 0, 12)
    assert run.schema.describe() == "ordinal (17 levels) images 1x8x8"
    assert run.history[-1].epoch == 12
    assert run.spec.result["stopped"] == "epochs"
    assert not run.model.training


def test_the_fixture_is_of_version_1_whatever_is_written_today():
    assert json.loads((FIXTURE / "spec.json").read_text())["format_version"] == 1
    assert FORMAT_VERSION >= 1


def test_a_spec_is_read_as_it_was_written(run: Path):
    spec = Spec.read(run / "spec.json")
    (run / "spec.json").write_bytes(spec.to_json())
    assert Spec.read(run / "spec.json") == spec


def refused(run: Path, words: str | None = None) -> None:
    with pytest.raises(RunError, match=words) as caught:
        load(run)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 1000
    assert str(run) in str(caught.value)


def change(run: Path, where: str, value: object) -> None:
    """Set one value of the spec by its path, such as "settings.network.hidden"."""
    path = run / "spec.json"
    document = json.loads(path.read_text())
    inner = document
    *way, last = where.split(".", 1) if where.startswith("settings.") else where.split(".")
    for step in way:
        inner = inner[int(step)] if isinstance(inner, list) else inner[step]
    inner[last] = value
    path.write_text(json.dumps(document))


HOSTILE = [
    ("format", "somebody-elses", "not written by lowerbound"),
    ("format_version", 999, "reads up to .* upgrade"),
    ("format_version", 0, "never was"),
    ("format_version", "1", "never was"),
    ("format_version", True, "never was"),
    ("recipe", 7, "'recipe' should be a text"),
    ("recipe", "os.system", "no recipe 'os.system'"),
    ("recipe", "A" * 10**6, "no recipe"),
    ("settings", [], "'settings' should be a table"),
    ("data.deep", json.loads("[" * 50 + "]" * 50), "nested too deeply"),
    ("settings.latents", 10**9, "latents must be from 1 to 65536"),
    ("settings.latents", 3, "fits another model"),
    ("settings.latents", "many", "whole number"),
    ("settings.latents", {}, "whole number"),
    ("settings.latents", 10**400, "latents"),
    ("settings.network.hidden", [10**9], "widths from 1 to 65536"),
    ("settings.network.hidden", [65536] * 64, "parameters, more than"),
    ("settings.network.hidden", [8] * 10**5, "hidden"),
    ("settings.network.hidden", [[8]], "whole number"),
    ("settings.network", "__import__", "no network"),
    ("settings.likelihood", "gaussian", "is a density"),
    ("settings.samples", 0, "samples"),
    ("settings.planted", 1, "no setting 'planted'"),
    ("training.epochs", -1, "epochs"),
    ("training.betas", "no", "betas"),
    ("seed", -1, "'seed' is out of range"),
    ("seed", 2**70, "'seed' is out of range"),
    ("seed", "0", "'seed' should be a whole number"),
    ("seed", True, "'seed' should be a whole number"),
    ("command", {}, "'command' should be a list"),
    ("versions", None, "'versions' should be a table"),
    ("schema", [], "'schema' should be a table"),
    ("schema.shape", [2**26, 2**26, 2**26], "the packed shape .* another number"),
    ("schema.shape", [-1], "the packed shape .* another number"),
    ("schema.fields", [], "damaged"),
    ("schema.fields.0.levels", 10**9, "needs 2 to 65536 levels"),
    ("schema.fields.0.levels", 18.0, "whole number"),
    ("schema.fields.0.kind", "pickle", "kind"),
    ("schema.precision", "float8", "precision"),
    ("schema.planted", 1, "keys"),
]


@pytest.mark.parametrize(
    ("where", "value", "words"), HOSTILE, ids=[f"{h[0]}={str(h[1])[:15]}" for h in HOSTILE]
)
def test_a_hostile_spec_is_refused_in_one_line(run: Path, where: str, value: object, words: str):
    change(run, where, value)
    refused(run, words)


CONTENTS = [
    b"", b"{", b"null", b"[]", b"7", b'"text"', b"\xff\xfe", b"\x00" * 100,
    b"[" * 100_000, b'{"a":' * 100_000, b'{"format": "lowerbound-run", "seed": NaN}',
    b'{"format": "lowerbound-run", "seed": ' + b"9" * 10_000 + b"}",
    b'{"format": "lowerbound-run", "deep": ' + b"[" * 50 + b"]" * 50 + b"}",
]  # fmt: skip


@pytest.mark.parametrize("contents", CONTENTS, ids=lambda c: str(c[:20]))
def test_what_is_no_spec_is_refused_in_one_line(run: Path, contents: bytes):
    (run / "spec.json").write_bytes(contents)
    refused(run)


def test_every_missing_key_is_told(run: Path):
    whole = json.loads((run / "spec.json").read_text())
    for key in whole:
        part = {name: value for name, value in whole.items() if name != key}
        (run / "spec.json").write_text(json.dumps(part))
        refused(run)


def test_a_directory_that_is_no_run_is_refused_with_the_remedy(tmp_path: Path, run: Path):
    refused(tmp_path / "none", "does not exist; fit one with")
    refused(tmp_path, "no spec.json")
    (tmp_path / "file").touch()
    refused(tmp_path / "file", "not the directory of a run")
    (run / "weights.safetensors").unlink()
    refused(run, "is missing")


def damaged(contents: bytes, chance: random.Random) -> bytes:
    """Cut short, or with a few bytes changed, left out or doubled."""
    if chance.random() < 0.25:
        return contents[: chance.randrange(len(contents))]
    changed = bytearray(contents)
    for _ in range(chance.choice([1, 1, 1, 2, 8])):
        at = chance.randrange(len(changed))
        kind = chance.random()
        if kind < 0.4:
            changed[at] ^= 1 << chance.randrange(8)
        elif kind < 0.7:
            changed[at] = chance.choice(b'0123456789{}[]",:-.eE\\ \x00\xff')
        elif kind < 0.85:
            del changed[at]
        else:
            changed[at:at] = changed[at : at + chance.randrange(1, 20)]
    return bytes(changed)


@pytest.mark.parametrize("name", ["spec.json", "weights.safetensors", "metrics.jsonl"])
def test_a_damaged_file_is_refused_or_loads_the_same_model(run: Path, name: str):
    contents, chance = (run / name).read_bytes(), random.Random(name)
    expected, outcomes = encode(load(run).model, X).mean, {"refused": 0, "same": 0}
    times = 60 if name == "metrics.jsonl" else 250
    for _ in range(times):
        (run / name).write_bytes(damaged(contents, chance))
        try:
            found = load(run)
        except RunError as error:
            assert "\n" not in str(error)
            outcomes["refused"] += 1
            continue
        assert torch.equal(encode(found.model, X).mean, expected)
        outcomes["same"] += 1
    least = {"spec.json": 120, "weights.safetensors": 240, "metrics.jsonl": 0}[name]
    assert outcomes["refused"] >= least, outcomes


EVIL = """
import os, sys
os.chdir(sys.argv[1])
sys.path.insert(0, sys.argv[1])
import torch
from lowerbound.runs import load
from lowerbound.applications import encode
load(sys.argv[2])  # what is imported lazily is imported now
ACTS = ("exec", "compile", "import", "pickle.find_class", "marshal.loads", "os.system", "os.exec",
        "os.posix_spawn", "subprocess.Popen", "socket.connect", "ctypes.dlopen")

def watch(event, arguments):
    if event in ACTS:
        raise SystemExit(f"caught {event} {str(arguments)[:200]}")

sys.addaudithook(watch)
run = load(sys.argv[1])
encode(run.model, torch.zeros(1, 1, 8, 8))
print("loaded")
"""


def test_loading_a_run_executes_none_of_its_code(run: Path):
    for name in ("__init__", "model", "vae", "recipe", "lowerbound_plugin"):
        (run / f"{name}.py").write_text("open('executed', 'w').write('yes')")
    (run / "model.pkl").write_bytes(b"cos\nsystem\n(S'touch executed'\ntR.")
    (run / "state").mkdir()
    (run / "state" / "state.pt").write_bytes(b"cos\nsystem\n(S'touch executed'\ntR.")
    command = [sys.executable, "-c", EVIL, str(run), str(FIXTURE)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200)
    assert done.stdout.strip() == "loaded", done.stderr
    assert not (run / "executed").exists()


def test_a_new_run_replaces_an_old_one_only_when_it_has_weights(run: Path):
    spec, tensors = Spec.read(run / "spec.json"), load(run).model.state_dict()
    directory = RunDirectory(run)
    with pytest.raises(OutputError, match="exists; choose another"):
        directory.create(spec)
    directory.create(spec, force=True)
    assert not directory.weights_path.exists()
    directory.abandon()
    assert len(load(run).history) == 12  # the old one came back
    again = RunDirectory(run)
    again.create(spec, force=True)
    again.write_weights(tensors)
    assert load(run).history == ()
    assert [path.name for path in run.parent.iterdir()] == ["run"]


def test_a_run_that_is_being_trained_is_not_replaced(run: Path):
    """Not at the start, and not when the new one has weights: its trainer would go on in there."""
    spec, tensors = Spec.read(run / "spec.json"), load(run).model.state_dict()
    held, words = Lock(run), "is being trained by another process"
    with pytest.raises(OutputError, match=words):
        RunDirectory(run).create(spec, force=True)
    held.release()
    late = RunDirectory(run)
    late.create(spec, force=True)
    held = Lock(run)
    with pytest.raises(OutputError, match=words):
        late.write_weights(tensors)
    held.release()
    late.write_weights(tensors)
    assert load(run).history == ()


def test_a_directory_that_holds_something_else_is_left_alone(tmp_path: Path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(OutputError, match="something else than a run"):
        RunDirectory(tmp_path).check_free(force=True)
    assert (tmp_path / "thesis.tex").exists()


def test_a_last_line_of_metrics_cut_short_is_left_out(run: Path):
    path = run / "metrics.jsonl"
    path.write_text(path.read_text()[:-20])
    assert len(load(run).history) == 11


MEAN = torch.tensor(
    [[-0.12245212495326996, -0.05357293039560318], [-0.2929302453994751, 0.1342170089483261]]
)
SCALE = torch.tensor(
    [[0.8961272239685059, 0.8457022309303284], [0.8513110280036926, 0.7577143311500549]]
)
DECODED = torch.tensor(
    [
        [6.144120693206787, 6.553619861602783, 10.506429672241211, 11.091798782348633],
        [7.079965114593506, 7.064655780792236, 10.028117179870605, 9.588412284851074],
    ]
)
LOG_PX = torch.tensor([-215.0594294667244, -211.56403011083603], dtype=torch.float64)
