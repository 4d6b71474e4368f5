"""The harness itself: what would make every other test worthless."""

import jsonschema
import pytest

from harness.ports import free_port
from harness.schema import ApiSchema

HEALTH = '{"status": "ok", "version": "1", "store": {"ok": true}, "callback": []%s}'
JSON = {"Content-Type": "application/json"}


def test_schema_accepts_what_is_described(tmp_path):
    schema = ApiSchema(tmp_path)
    schema.check("GET", "/v1/health", 200, JSON, HEALTH % "")
    assert schema.seen() == {("get", "/v1/health", "200")}
    assert schema.seen() < schema.documented()


def test_schema_refuses_unknown_members(tmp_path):
    with pytest.raises(jsonschema.ValidationError):
        ApiSchema(tmp_path).check("GET", "/v1/health", 200, JSON, HEALTH % ', "more": 1')


@pytest.mark.parametrize("target, status", [("/v1/health", 418), ("/v2/health", 200)])
def test_schema_refuses_undescribed_statuses(tmp_path, target, status):
    with pytest.raises(AssertionError):
        ApiSchema(tmp_path).check("GET", target, status, JSON, HEALTH % "")


def test_schema_demands_headers(tmp_path):
    body = '{"error": "busy", "error_description": "x", "retry_after": 1}'
    with pytest.raises(AssertionError, match="Retry-After"):
        ApiSchema(tmp_path).check("GET", "/v1/accounts", 503, JSON, body)


def test_ports_differ():
    assert len({free_port() for _ in range(20)}) == 20
