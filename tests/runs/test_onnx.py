"""ONNX files against torch, run by onnxruntime."""

import json
from pathlib import Path

import numpy as np
import pyarrow
import pytest
import torch

from lowerbound.applications import decode, encode
from lowerbound.catalogue import assemble
from lowerbound.core import unflatten
from lowerbound.data import read
from lowerbound.errors import SupportError
from lowerbound.runs import Run, Spec
from lowerbound.runs.onnx import export_onnx

runtime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")
PARTS = ("encoder", "decoder", "score")
pytestmark = pytest.mark.timeout(1800)


def _run(source, recipe="auto", **settings):
    data = read(source, **({"axes": "tc"} if np.ndim(source) == 3 else {}))
    one = assemble(recipe, data.schema, settings, examples=len(data.train), seed=0)
    spec = Spec(one.recipe.name, one.settings, {}, data.schema, {}, 0)
    return Run(Path("run"), one.model.eval(), one.objective, data.schema, spec, ()), data.test


def _images():
    return np.random.default_rng(0).integers(0, 256, (60, 1, 8, 8), dtype=np.uint8)


def _series():
    return np.random.default_rng(0).normal(size=(60, 12, 2))


def _table():
    rng = np.random.default_rng(0)
    return pyarrow.table({
        "kind": [("oak", "elm", "ash")[code] for code in rng.integers(0, 3, 60)],
        "size": [None if rng.random() < 0.2 else float(rng.normal()) for _ in range(60)],
    })  # fmt: skip


def _given(session, batch, noise):
    """What a session is to be given: x as floats of its precision, noise, and the mask."""
    types = {one.name: one.type for one in session.get_inputs()}
    kinds = {"tensor(double)": np.float64}
    known = torch.ones_like(batch.x) == 1 if batch.observed is None else batch.observed
    x = np.nan_to_num(batch.x.numpy()).astype(kinds.get(types["x"], np.float32))
    every = {"x": x, "noise": noise, "observed": known.numpy()}
    return {name: every[name] for name in types}


def _agree(run, held, folder, parts):
    """Check files against torch, on held-out examples, within 1e-5."""
    exported = export_onnx(run, folder)
    assert {file.stem for file in exported.files} == set(parts), exported.missing
    sessions = {file.stem: runtime.InferenceSession(str(file)) for file in exported.files}
    batch = held.load().batch(slice(0, len(held)))
    wanted = encode(run.model, held).mean
    rng = np.random.default_rng(1)
    noise = rng.standard_normal((len(held), wanted.shape[1])).astype(np.float32)
    (z,) = sessions["encoder"].run(None, _given(sessions["encoder"], batch, noise))
    np.testing.assert_allclose(z, wanted.numpy(), rtol=1e-5, atol=1e-5)
    if "decoder" in sessions:
        (x,) = sessions["decoder"].run(None, {"z": wanted.float().numpy()})
        np.testing.assert_allclose(x, decode(run.model, wanted).numpy(), rtol=1e-5, atol=1e-5)
    if "score" in sessions:
        found = encode(run.model, held)
        at = unflatten((found.mean + found.scale * torch.from_numpy(noise))[None], found.spaces)
        with torch.no_grad():
            log_weight = run.model.trace_at(batch, at).log_weight[0]
        (score,) = sessions["score"].run(None, _given(sessions["score"], batch, noise))
        np.testing.assert_allclose(score, log_weight.numpy(), rtol=1e-5, atol=1e-5)
    about = sessions["encoder"].get_modelmeta().custom_metadata_map
    assert json.loads(about["schema"]) == run.schema.to_json()
    assert about["recipe"] == run.spec.recipe
    return exported


@pytest.mark.slow
def test_files_give_what_torch_gives_on_held_out_examples(tmp_path):
    assert not _agree(*_run(_images(), latents=3), tmp_path, PARTS).missing


@pytest.mark.slow
@pytest.mark.parametrize("make", [_table, _series])
def test_a_score_that_no_graph_holds_is_left_out_with_one_line(tmp_path, make):
    found = _agree(*_run(make(), latents=3), tmp_path, ("encoder", "decoder"))
    assert "the score cannot be exported to ONNX" in found.missing[0]
    assert all("\n" not in one for one in found.missing)


def test_a_model_of_texts_says_why_it_cannot_be_exported(tmp_path):
    run, _ = _run([f"text number {i}" for i in range(40)])
    with pytest.raises(SupportError, match="token after token"):
        export_onnx(run, tmp_path)


def test_nothing_is_written_where_no_part_can_be_exported(tmp_path, monkeypatch):
    run, _ = _run(_images(), latents=2)
    monkeypatch.setattr(torch.onnx, "export", lambda *a, **k: 1 / 0)
    with pytest.raises(SupportError, match="division by zero") as refused:
        export_onnx(run, tmp_path)
    assert "\n" not in str(refused.value)
    assert not list(tmp_path.iterdir())
