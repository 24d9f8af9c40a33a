"""ONNX files against torch, run by onnxruntime."""

import json
from pathlib import Path

import numpy as np
import pyarrow
import pytest
import torch

from lowerbound.applications import decode, encode
from lowerbound.catalogue import assemble
from lowerbound.data import read
from lowerbound.errors import SupportError
from lowerbound.runs import Run, Spec
from lowerbound.runs.onnx import export_onnx

runtime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")
pytestmark = pytest.mark.timeout(300)


def _run(source, **settings):
    data = read(source)
    one = assemble("auto", data.schema, settings, examples=len(data.train), seed=0)
    spec = Spec(one.recipe.name, one.settings, {}, data.schema, {}, 0)
    return Run(Path("run"), one.model.eval(), one.objective, data.schema, spec, ()), data.test


def _images():
    return np.random.default_rng(0).integers(0, 256, (60, 1, 8, 8), dtype=np.uint8)


def _table():
    rng = np.random.default_rng(0)
    return pyarrow.table({
        "kind": [("oak", "elm", "ash")[code] for code in rng.integers(0, 3, 60)],
        "size": [None if rng.random() < 0.2 else float(rng.normal()) for _ in range(60)],
    })  # fmt: skip


@pytest.mark.slow
def test_files_give_what_torch_gives_on_held_out_examples(tmp_path):
    run, held = _run(_images(), latents=3)
    encoder, decoder = export_onnx(run, tmp_path)
    batch = held.load().batch(slice(0, len(held)))
    session = runtime.InferenceSession(str(encoder))
    dtype = np.float64 if "double" in session.get_inputs()[0].type else np.float32
    given = {"x": np.nan_to_num(batch.x.numpy()).astype(dtype)}
    if len(session.get_inputs()) == 2:
        known = batch.observed if batch.observed is not None else torch.ones_like(batch.x) == 1
        given["observed"] = known.numpy()
    (z,) = session.run(None, given)
    wanted = encode(run.model, held).mean
    np.testing.assert_allclose(z, wanted.numpy(), rtol=1e-5, atol=1e-5)
    session = runtime.InferenceSession(str(decoder))
    (x,) = session.run(None, {"z": wanted.float().numpy()})
    np.testing.assert_allclose(x, decode(run.model, wanted).numpy(), rtol=1e-5, atol=1e-5)
    about = session.get_modelmeta().custom_metadata_map
    assert json.loads(about["schema"]) == run.schema.to_json()
    assert about["recipe"] == run.spec.recipe


@pytest.mark.slow
def test_a_table_whose_parts_no_graph_holds_says_so_in_a_line(tmp_path):
    run, _ = _run(_table(), latents=3)
    with pytest.raises(SupportError, match="cannot be exported to ONNX") as refused:
        export_onnx(run, tmp_path)
    assert "\n" not in str(refused.value)


def test_a_decoder_of_texts_says_why_it_cannot_be_exported(tmp_path):
    run, _ = _run([f"text number {i}" for i in range(40)])
    with pytest.raises(SupportError, match="byte after byte"):
        export_onnx(run, tmp_path)
