"""A run behind HTTP: answers, one line of refusal, and nothing for strangers."""

import asyncio

import numpy as np
import pytest

pytest.importorskip("starlette")
from starlette.testclient import TestClient

from lowerbound.errors import ShapeError
from lowerbound.web.app import app_of
from lowerbound.web.routes import ROUTES, openapi
from lowerbound.web.service import Service
from lowerbound.web.worker import Together

HOST = "127.0.0.1:8000"


@pytest.fixture
def client(run):
    app = app_of(lambda: Service(run), hosts=frozenset({HOST}))
    with TestClient(app, base_url=f"http://{HOST}") as made:
        yield made


def test_there_and_back(client):
    rows = [[0.1, 0.2, 0.3], [1.0, -1.0, 0.0]]
    latents = client.post("/api/encode", json={"examples": rows}).json()["latents"]
    assert np.shape(latents) == (2, 2)
    back = client.post("/api/decode", json={"latents": latents}).json()["examples"]
    again = client.post("/api/reconstruct", json={"examples": rows}).json()["examples"]
    np.testing.assert_allclose(back, again, rtol=1e-6)


def test_a_seed_gives_the_same_examples(client):
    body = {"count": 4, "seed": 7}
    first = client.post("/api/generate", json=body).json()
    assert np.shape(first["examples"]) == (4, 3)
    assert client.post("/api/generate", json=body).json() == first


def test_scores_do_not_depend_on_the_other_rows(client):
    rows = [[0.1, 0.2, 0.3], [1.0, -1.0, 0.0]]
    both = client.post("/api/score", json={"examples": rows}).json()
    one = client.post("/api/score", json={"examples": rows[:1]}).json()
    assert one["log_likelihood"][0] == both["log_likelihood"][0]


@pytest.mark.parametrize(
    ("route", "body", "words"),
    [
        ("encode", {"examples": [[1.0, 2.0]]}, "the model takes"),
        ("encode", {"examples": []}, "at least one"),
        ("encode", {"examples": [["a", "b", "c"]]}, "nested lists of numbers"),
        ("encode", {}, "examples is missing"),
        ("decode", {"latents": [[1.0]]}, "the model has (N, 2)|decodes latents|latents"),
        ("generate", {"count": 0}, "1 to 10,000"),
        ("generate", {"count": 10**9}, "1 to 10,000"),
        ("generate", {"count": True}, "of type integer"),
        ("generate", {"cuont": 3}, "did you mean"),
        ("score", {"examples": [[0, 0, 0]], "samples": 0}, "samples is 1 to"),
        ("generate", [1], "JSON object"),
    ],
)
def test_a_request_that_cannot_be_used_gets_one_line(client, route, body, words):
    answer = client.post(f"/api/{route}", json=body)
    assert answer.status_code == 422
    line = answer.json()["error"]
    assert "\n" not in line
    assert any(word in line for word in words.split("|")), line


def test_a_body_that_is_no_json_is_refused(client):
    for content in (b"{", b"\xff\xfe", b"[" * 100_000):
        assert client.post("/api/generate", content=content).status_code == 400


def test_other_hosts_and_other_sites_are_refused(client):
    assert client.get("/api/about", headers={"host": "evil.example"}).status_code == 403
    assert client.get("/api/about", headers={"origin": "http://evil.example"}).status_code == 403
    assert client.get("/api/about", headers={"origin": f"http://{HOST}"}).status_code == 200


def test_a_token_is_asked_for(run):
    app = app_of(lambda: Service(run), hosts=frozenset({HOST}), token="word")
    with TestClient(app, base_url=f"http://{HOST}") as client:
        assert client.get("/api/about").status_code == 401
        assert client.get("/api/about?token=wrong").status_code == 401
        assert client.get("/api/about?token=word").status_code == 200
        told = {"authorization": "Bearer word"}
        assert client.get("/api/about", headers=told).status_code == 200
        assert client.get("/health").text == "ok\n"


def test_every_answer_forbids_scripts_of_others(client):
    for path in ("/api/about", "/nowhere", "/openapi.json"):
        policy = client.get(path).headers["content-security-policy"]
        assert "script-src 'self'" in policy
        assert "unsafe" not in policy


def test_the_description_lists_every_route(client):
    told = client.get("/openapi.json").json()
    assert set(told["paths"]) == {route.path for route in ROUTES}
    assert told == openapi()


def test_requests_that_wait_are_answered_by_one_call_each_with_its_own_rows():
    calls = []

    def use(rows):
        calls.append(len(rows))
        if any(row < 0 for row in rows):
            raise ShapeError("no")
        return {"twice": [2 * row for row in rows]}

    one = Together(use, "rows")
    first, second = one.put([1, 2]), one.put([3])
    one.answer()
    one.answer()  # nothing waits any more
    assert (first.result(0), second.result(0)) == ({"twice": [2, 4]}, {"twice": [6]})
    assert calls == [3]
    good, bad = one.put([5]), one.put([-1])
    one.answer()
    assert good.result(0) == {"twice": [10]}
    with pytest.raises(ShapeError):
        bad.result(0)


def test_many_requests_at_once_are_all_answered(run):
    import httpx2 as httpx

    app = app_of(lambda: Service(run), hosts=frozenset({HOST}))

    async def ask() -> list[int]:
        way = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=way, base_url=f"http://{HOST}") as client:
            calls = [client.post("/api/generate", json={"count": 2}) for _ in range(100)]
            calls += [client.post("/api/decode", json={"latents": [[0, 1]]}) for _ in range(100)]
            return [answer.status_code for answer in await asyncio.gather(*calls)]

    assert asyncio.run(ask()) == [200] * 200
