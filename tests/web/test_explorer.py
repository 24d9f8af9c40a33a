"""The page's own requests, and the page itself."""

import re

import numpy as np
import pytest

from lowerbound.data import read_examples

pytest.importorskip("starlette")
from starlette.testclient import TestClient

from lowerbound.web.app import PAGES, app_of
from lowerbound.web.explorer import Explorer

HOST = "127.0.0.1:8000"


@pytest.fixture(scope="module")
def explorer(run):
    x = np.random.default_rng(1).normal(size=(40, 3))
    return Explorer(run, read_examples(x, run.schema)[0])


@pytest.fixture
def client(explorer):
    app = app_of(lambda: explorer, hosts=frozenset({HOST}), token="word", page=True)
    with TestClient(app, base_url=f"http://{HOST}") as made:
        made.headers["authorization"] = "Bearer word"
        yield made


def test_the_place_of_an_example_on_the_map_decodes_to_it(client, explorer):
    found = client.get("/api/map").json()
    assert np.shape(found["points"]) == (40, 2)
    z = np.array(found["centre"]) + np.array(found["points"][5]) @ np.array(found["axes"])
    np.testing.assert_allclose(z, explorer.means[5], atol=1e-4)  # two units: the plane is all
    here = client.post("/api/decode", json={"latents": [z.tolist()]}).json()["examples"][0]
    one = client.post("/api/example", json={"index": 5}).json()
    np.testing.assert_allclose(here, one["reconstruction"], atol=1e-3)


def test_the_nearest_example_to_an_encoding_is_its_own(client, explorer):
    found = client.post("/api/nearest", json={"latents": explorer.means[7].tolist()}).json()
    assert found["indices"][0] == 7
    assert found["distances"] == sorted(found["distances"])


def test_the_oddest_examples_come_first(client):
    found = client.get("/api/odd").json()
    assert found["scores"] == sorted(found["scores"])
    assert sorted(found["indices"]) == list(range(40))


@pytest.mark.parametrize(
    ("route", "body"), [("example", {"index": 40}), ("nearest", {"latents": [1.0, 2.0, 3.0]})]
)
def test_places_that_are_not_there_are_refused(client, route, body):
    assert client.post(f"/api/{route}", json=body).status_code == 422


def test_the_page_is_there_without_the_token_and_its_data_is_not(explorer):
    app = app_of(lambda: explorer, hosts=frozenset({HOST}), token="word", page=True)
    with TestClient(app, base_url=f"http://{HOST}") as stranger:
        for name in ("", *PAGES):
            assert stranger.get(f"/{name}").status_code == 200
        assert stranger.get("/api/map").status_code == 401


def test_the_page_loads_nothing_from_elsewhere(client):
    for name in PAGES:
        text = client.get(f"/{name}").text
        assert not re.search(r"https?://|//cdn|@import|<style|style=|onclick", text), name


def test_every_control_of_the_page_has_a_label(client):
    page = client.get("/").text
    for control in re.findall(r"<(?:input|select)[^>]*>", page):
        before = page[: page.index(control)]
        assert before.rfind("<label") > before.rfind("</label>"), control
