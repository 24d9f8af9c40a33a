"""A run behind HTTP: answers, one line of refusal, and nothing for strangers."""

import asyncio
import io
import threading

import numpy as np
import pyarrow
import pytest

pytest.importorskip("starlette")
from starlette.testclient import TestClient

from lowerbound.errors import RunError, ShapeError
from lowerbound.web.app import app_of
from lowerbound.web.bodies import ARROW, NPY
from lowerbound.web.routes import ROUTES, openapi
from lowerbound.web.service import Service
from lowerbound.web.worker import Together, Worker

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


def _npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def test_an_array_is_answered_by_an_array(client):
    rows = np.array([[0.1, 0.2, 0.3], [1.0, np.nan, 0.0]])
    head = {"content-type": NPY, "accept": NPY}
    found = client.post("/api/encode", content=_npy(rows), headers=head)
    assert found.headers["content-type"] == NPY
    told = [[0.1, 0.2, 0.3], [1.0, None, 0.0]]
    wanted = client.post("/api/encode", json={"examples": told}).json()["latents"]
    np.testing.assert_allclose(np.load(io.BytesIO(found.content)), wanted, rtol=1e-6)
    drawn = client.post(
        "/api/decode?draw=true&seed=3", content=_npy(np.zeros((2, 2))), headers=head
    )
    again = client.post("/api/decode", json={"latents": [[0, 0]] * 2, "draw": True, "seed": 3})
    np.testing.assert_allclose(np.load(io.BytesIO(drawn.content)), again.json()["examples"])


@pytest.mark.parametrize(
    "body",
    [b"", b"\x93NUMPY", b"PK\3\4", _npy(np.zeros(9))[:-8], _npy(np.array(["a"], dtype=object))],
)
def test_a_body_that_is_no_array_is_refused(client, body):
    found = client.post("/api/encode", content=body, headers={"content-type": NPY})
    assert found.status_code == 400
    assert "array" in found.json()["error"]


def test_a_table_of_arrow_is_answered_by_one(shown):
    app = app_of(lambda: Service(shown["row"][0]), hosts=frozenset({HOST}))
    table = pyarrow.table({
        "kind": ["oak", None], "size": [9.5, 10.0], "planted": ["2020-02-01", "2021-01-01"]
    })  # fmt: skip
    sink = pyarrow.BufferOutputStream()
    with pyarrow.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    body = sink.getvalue().to_pybytes()
    with TestClient(app, base_url=f"http://{HOST}") as client:
        head = {"content-type": ARROW, "accept": ARROW}
        found = client.post("/api/reconstruct", content=body, headers=head)
        back = pyarrow.ipc.open_stream(found.content).read_all()
        assert back.column_names == table.column_names
        assert all(kind in ("oak", "elm", "ash") for kind in back["kind"].to_pylist())
        assert client.post("/api/encode", content=body[:90], headers=head).status_code == 400
        refused = client.post("/api/impute?draws=x", content=body, headers=head)
        assert refused.status_code == 400
        head["accept"] = NPY
        assert client.post("/api/reconstruct", content=body, headers=head).status_code == 422


def test_the_page_is_there_before_the_model_is(run):
    go = threading.Event()

    def load():
        assert go.wait(60)
        return Service(run)

    with TestClient(
        app_of(load, hosts=frozenset({HOST}), page=True), base_url=f"http://{HOST}"
    ) as one:
        assert "explore.js" in one.get("/").text
        answers = []
        asks = threading.Thread(target=lambda: answers.append(one.get("/api/about")))
        asks.start()
        assert one.get("/health").status_code == 200 and not answers
        go.set()
        asks.join(60)
        assert answers[0].json()["kind"] == "vector"


def test_a_run_that_cannot_be_loaded_is_told_to_those_who_wait():
    def load():
        raise RunError("no run here")

    with TestClient(app_of(load, hosts=frozenset({HOST})), base_url=f"http://{HOST}") as client:
        found = client.get("/api/about")
    assert (found.status_code, found.json()["error"]) == (503, "no run here")


class Slow:
    """A service of which one use takes ten steps."""

    def __init__(self):
        self.done = []

    def long(self):
        try:
            for step in range(10):
                self.done.append(step)
                yield
            return {"steps": len(self.done)}
        finally:
            self.done.append("end")

    def short(self):
        return {"steps": len(self.done)}


def test_a_short_request_passes_a_long_one():
    slow = Slow()
    go = threading.Event()
    worker = Worker(lambda: (go.wait(60), slow)[1])
    long, short = worker.put("long", {}), worker.put("short", {})
    go.set()
    assert short.result(60)["steps"] == 1
    assert long.result(60)["steps"] == 10
    last = worker.put("long", {})
    worker.end()
    assert last.result(0)["steps"] == 21  # what was begun is finished; "end" is counted, too


def test_a_long_request_ends_when_nobody_waits_for_it():
    slow = Slow()
    go = threading.Event()
    worker = Worker(lambda: (go.wait(60), slow)[1])
    long = worker.put("long", {})
    short = worker.put("short", {})
    short.add_done_callback(lambda _: long.cancel())
    go.set()
    short.result(60)
    worker.end()
    assert slow.done[0] == 0 and slow.done[-1] == "end" and len(slow.done) < 11


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
