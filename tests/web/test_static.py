"""The page in one file: it decodes as the model does, and needs nobody."""

import json
import re
import shutil
import subprocess

import numpy as np
import pytest

from lowerbound.web.static import page_of

BROWSER = """
const document = { getElementById: () => ({ textContent: DATA }) };
SCRIPT
globalThis.answers("decode", { latents: LATENTS }).then((one) => console.log(JSON.stringify(one)));
"""


def _inside(page):
    return re.search(r'id="inside">(.*?)</script>', page, re.DOTALL)[1]


@pytest.mark.parametrize("kind", ["image", "row", "tune"])
def test_one_file_holds_everything(explorers, kind):
    page = page_of(explorers[kind])
    assert not re.search(r'src="|href="/|^import |^export ', page, re.MULTILINE)
    inside = json.loads(_inside(page))
    assert len(inside["examples"]) == len(inside["map"]["points"])
    assert (inside["decoder"] is None) == ("grid" in inside) == (kind != "image")


NODE = pytest.mark.skipif(shutil.which("node") is None, reason="node runs the page's script")


@NODE
def test_the_scripts_of_the_page_go_together_in_one(explorers):
    script = re.search(r'<script type="module">(.*?)</script>', page_of(explorers["row"]), re.S)
    assert script is not None
    found = subprocess.run(
        ["node", "--check", "--input-type=module", "-"], input=script[1], text=True,
        capture_output=True, timeout=60,
    )  # fmt: skip
    assert found.returncode == 0, found.stderr


@NODE
def test_the_page_decodes_as_the_model_does(explorers):
    from importlib import resources

    explorer = explorers["image"]
    script = resources.files("lowerbound.web").joinpath("page", "offline.js").read_text("utf-8")
    z = explorer.means[:2].tolist()
    code = BROWSER.replace("DATA", json.dumps(_inside(page_of(explorer))))
    code = code.replace("SCRIPT", script).replace("LATENTS", json.dumps(z))
    found = subprocess.run(
        ["node", "--input-type=module", "-"], input=code, text=True, capture_output=True, timeout=60
    )
    assert found.returncode == 0, found.stderr
    wanted = np.array(explorer.decode(z)["examples"])
    # half precision: a thousandth of the range of levels
    np.testing.assert_allclose(json.loads(found.stdout)["examples"], wanted, atol=0.5)


@NODE
def test_the_page_writes_the_midi_file_that_the_library_writes(shown):
    from importlib import resources

    from lowerbound.applications.tunes import midi_of

    script = resources.files("lowerbound.web").joinpath("page", "sound.js").read_text("utf-8")
    tunes = shown["tune"][1].x[:3].numpy()
    code = script + f"\nconsole.log(JSON.stringify([...midiOf({tunes.tolist()})]))"
    found = subprocess.run(
        ["node", "--input-type=module", "-"], input=code, text=True, capture_output=True, timeout=60
    )
    assert found.returncode == 0, found.stderr
    assert bytes(json.loads(found.stdout)) == midi_of(list(tunes))
