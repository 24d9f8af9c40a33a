"""Requests made from the OpenAPI description by schemathesis (slow; `pip install schemathesis`)."""

import pytest
from hypothesis import HealthCheck, given, settings

pytest.importorskip("schemathesis", reason="pip install schemathesis")
pytest.importorskip("starlette")
import schemathesis
from starlette.testclient import TestClient

from lowerbound.web.app import app_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
HOST = "127.0.0.1:8000"


@pytest.mark.parametrize("kind", ["row", "tune", "image"])
def test_no_request_of_the_description_ends_in_a_server_error(explorers, kind):
    explorer = explorers[kind]
    app = app_of(lambda: explorer, hosts=frozenset({HOST}), page=True)
    client = TestClient(app, base_url=f"http://{HOST}", raise_server_exceptions=False)
    schema = schemathesis.openapi.from_dict(client.get("/openapi.json").json())
    seen = set()
    for found in schema.get_all_operations():
        operation = found.ok()
        seen.add(operation.path)

        @settings(max_examples=20, deadline=None, database=None, derandomize=True,
                  suppress_health_check=list(HealthCheck))  # fmt: skip
        @given(case=operation.as_strategy())
        def ask(case):
            told = case.as_transport_kwargs()
            body = {"json": told["json"]} if "json" in told else {"content": told.get("data")}
            answer = client.request(
                case.method, case.formatted_path, headers=dict(told["headers"]), **body
            )
            assert answer.status_code in (200, 400, 422), (case.body, answer.text)

        ask()
    assert len(seen) >= 14
