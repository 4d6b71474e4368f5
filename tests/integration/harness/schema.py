"""Holds every reply of the socket API to its description, schema/api.yaml."""

import copy
import json
import os
import re
import threading
from pathlib import Path

import jsonschema
import yaml

_FILE = Path(__file__).resolve().parents[3] / "schema" / "api.yaml"
_METHODS = ("get", "put", "post", "delete")


def _close(schema):
    """Unknown members fail, wherever a schema lists members and does not say otherwise."""
    if isinstance(schema, dict):
        if "properties" in schema and "type" in schema:
            schema.setdefault("additionalProperties", False)
        for part in schema.values():
            _close(part)
    elif isinstance(schema, list):
        for part in schema:
            _close(part)


class ApiSchema:
    """`seen_folder`: where every path and status that was seen leaves a mark, for all workers."""

    def __init__(self, seen_folder):
        self._document = yaml.safe_load(_FILE.read_text(encoding="utf-8"))
        self._closed = copy.deepcopy(self._document)
        _close(self._closed["components"]["schemas"])
        self._resolver = jsonschema.RefResolver("", self._closed)
        self._seen = Path(seen_folder)
        self._routes = [(self._pattern(path), path) for path in self._document["paths"]]

    @staticmethod
    def _pattern(path):
        return re.compile(re.sub(r"\{[^}]+\}", "[^/]+", path) + "$")

    def documented(self):
        """Every (method, path, status) of the description."""
        return {
            (method, path, status)
            for path, item in self._document["paths"].items()
            for method in _METHODS
            for status in item.get(method, {}).get("responses", {})
        }

    def seen(self):
        return {tuple(json.loads(mark.read_text())) for mark in self._seen.glob("*.json")}

    def check(self, method, target, status, headers, body):
        """Fails with the reason where the reply is not as described. A path that is no route of the
        API has no description but the failure's."""
        path = self._route(target.partition("?")[0])
        if path is None or method.lower() not in self._document["paths"][path]:
            assert status in (404, 405, 400), f"{method} {target}: {status}, and no such route"
            self._validate({"$ref": "#/components/schemas/Failure"}, json.loads(body))
            if path is None or status != 405:
                return
            for known in self._document["paths"][path].keys() & set(_METHODS):
                self._mark(known, path, "405")  # one answer, whatever the route's methods are
            return
        responses = self._document["paths"][path][method.lower()]["responses"]
        assert str(status) in responses, f"{method} {path}: {status} is not described ({body!r})"
        self._check_response(self._resolve(responses[str(status)]), headers, body)
        self._mark(method.lower(), path, str(status))

    def _route(self, target):
        return next((path for pattern, path in self._routes if pattern.match(target)), None)

    def _resolve(self, node):
        while "$ref" in node:
            node = self._resolver.resolve(node["$ref"])[1]
        return node

    def _check_response(self, response, headers, body):
        for name, header in response.get("headers", {}).items():
            value = headers.get(name)
            assert value is not None or not header.get("required"), f"{name} is missing"
            if value is not None:
                schema = self._resolve(header)["schema"]
                self._validate(schema, int(value) if schema.get("type") == "integer" else value)
        kind = headers.get("Content-Type", "").partition(";")[0]
        content = response.get("content", {})
        assert kind in content, f"Content-Type {kind!r}, not one of {sorted(content)}"
        if kind == "application/json":
            self._validate(content[kind]["schema"], json.loads(body))

    def _validate(self, schema, value):
        jsonschema.Draft202012Validator(schema, resolver=self._resolver).validate(value)

    def _mark(self, method, path, status):
        name = re.sub(r"[^a-z0-9]+", "-", f"{method}{path}-{status}") + ".json"
        mark = self._seen / name
        if not mark.exists():
            own = self._seen / f".{name}.{os.getpid()}.{threading.get_ident()}"
            own.write_text(json.dumps([method, path, status]))
            own.rename(mark)
