"""Hostile requests: from the table of routes, and from values that fit it; none ends in a 500."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as draw

pytest.importorskip("starlette")
from starlette.testclient import TestClient

from lowerbound.web.app import app_of
from lowerbound.web.routes import PAGE_ROUTES, ROUTES

HOST = "127.0.0.1:8000"
KINDS = ("row", "text", "tune", "vector")
COLUMNS = ["kind", "size", "planted", "?"]
NUMBERS = draw.one_of(
    draw.integers(-3, 5), draw.integers(), draw.sampled_from([2**31, 2**63, 2**64, 10**400]),
    draw.floats(),
)  # fmt: skip
LEAVES = draw.one_of(draw.none(), draw.booleans(), NUMBERS, draw.text(max_size=5))
ANYTHING = draw.recursive(
    LEAVES,
    lambda inner: draw.one_of(
        draw.lists(inner, max_size=4), draw.dictionaries(draw.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=12,
)


def _fitting(argument):
    """Values of the argument's type, sane and not."""
    if argument.schema["type"] == "integer":
        return draw.one_of(draw.integers(0, 3), NUMBERS)
    if argument.schema["type"] == "array":
        cells = draw.one_of(draw.floats(-5, 5), LEAVES)
        rows = draw.one_of(
            draw.lists(cells, min_size=1, max_size=4),
            draw.dictionaries(draw.sampled_from(COLUMNS), cells, min_size=1),
            draw.text(max_size=5), cells, draw.lists(draw.integers(0, 130), max_size=40),
            draw.sampled_from(["kind=oak", "size=1..3", "size=NA", "planted=2020", "kind=?"]),
        )  # fmt: skip
        return draw.one_of(draw.lists(rows, max_size=3), ANYTHING)
    if argument.schema["type"] == "string":
        return draw.one_of(draw.text(max_size=5), draw.sampled_from(["score", "rate"]), LEAVES)
    return draw.one_of(draw.booleans(), NUMBERS)


@draw.composite
def bodies(choose, route):
    if choose(draw.booleans()) and choose(draw.booleans()):
        return choose(ANYTHING)
    names = [
        name for name, one in route.arguments.items() if one.required or choose(draw.booleans())
    ]
    made = {name: choose(_fitting(route.arguments[name])) for name in names}
    for name in ("count", "samples", "draws"):  # large numbers that are allowed only take long
        if isinstance(made.get(name), int) and 3 < made[name] < 20_000:
            made[name] = 3
    return made


@pytest.fixture(scope="module")
def clients(explorers):
    made = {}
    for kind in KINDS:
        explorer = explorers[kind]
        app = app_of(lambda one=explorer: one, hosts=frozenset({HOST}), page=True)
        made[kind] = TestClient(app, base_url=f"http://{HOST}", raise_server_exceptions=False)
    return made


@pytest.mark.parametrize(
    ("kind", "route"),
    [
        pytest.param(kind, route, id=f"{route.name}-{kind}")
        for route in (*ROUTES, *PAGE_ROUTES)
        for kind in KINDS
        # what takes no examples is the same for all kinds
        if route.arguments and (kind == "row" or route.rows or route.name in ("generate", "shares"))
    ],
)
@settings(
    max_examples=8, deadline=None, derandomize=True, database=None,
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
@given(data=draw.data())
def test_no_request_ends_in_a_server_error(clients, kind, route, data):
    body = data.draw(bodies(route))
    answer = clients[kind].post(route.path, content=json.dumps(body))
    assert answer.status_code in (200, 400, 422), (answer.status_code, body, answer.text)
    if answer.status_code != 200:
        assert "\n" not in answer.json()["error"]
