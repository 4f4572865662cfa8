"""docs/openapi.yaml describes the routes of the daemon, all of them, and what they answer."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
import yaml  # type: ignore[import-untyped]

from streamd import __version__
from tests.support.daemon import CHECKOUT
from tests.support.net import Answer
from tests.support.served import Serve, Served, in_thread


class StrictLoader(yaml.SafeLoader):  # type: ignore[misc]
    """Refuses a key that occurs twice, like most programs that read OpenAPI."""

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        keys = [(key.value, key.start_mark.line + 1) for key, _ in node.value]
        lines = dict(keys)
        assert len(lines) == len(keys), [key for key in keys if lines[key[0]] != key[1]]
        return super().construct_mapping(node, deep)


DOCUMENT: dict[str, Any] = StrictLoader(
    (CHECKOUT / "docs" / "openapi.yaml").read_text()
).get_single_data()
METHODS = ("get", "post", "put", "patch", "delete", "options")
TYPES: dict[str, Any] = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "number": (int, float),
    "integer": int,
    "null": type(None),
}

NOT_FOR_PROGRAMS = {
    "PUT /socket.io/",  # refused in the form of Engine.IO
    "OPTIONS /socket.io/",  # what browsers ask before the request of a page
}

ADMIN = {"Authorization": "Bearer administrator-all"}
CONFIG = """
[access]
publish = "loopback"
admin = ["administrator-all"]
[streams.orders]
title = "Orders"
warn = "< 20"
expect = "60s"
words = { 7 = "few" }
[[walls]]
name = "lobby"
[[screens]]
name = "tv"
walls = [{ wall = "lobby" }]
"""

ASKED: list[tuple[str, str, str, Any, int]] = [
    ("PATCH", "/state", "", {"orders": 7, "lag": 0.2}, 200),
    ("POST", "/streams/{name}", "/streams/orders", 42, 201),
    ("GET", "/state", "", None, 200),
    ("GET", "/streams", "", None, 200),
    ("GET", "/streams/{name}", "/streams/orders?history=5", None, 200),
    ("GET", "/streams/{name}", "/streams/orders?from=-1h", None, 200),
    ("GET", "/streams/{name}", "/streams/orders.txt", None, 200),
    ("GET", "/streams/{name}", "/streams/orders.svg", None, 200),
    ("GET", "/streams/{name}", "/streams/nothing", None, 404),
    ("GET", "/updates", "/updates?after=0-0", None, 200),
    ("POST", "/widgets/{name}", "/widgets/orders", {"current": 5}, 204),
    ("POST", "/write", "", "load value=1", 204),
    ("POST", "/write", "", "load", 400),
    ("DELETE", "/streams/{name}", "/streams/lag", None, 204),
    ("GET", "/walls", "", None, 200),
    ("GET", "/walls/{name}", "/walls/lobby", None, 200),
    ("GET", "/screens", "", None, 200),
    ("GET", "/screens/{name}", "/screens/tv", None, 200),
    ("POST", "/screens/{name}", "/screens/tv", {"command": "reload"}, 404),
    ("POST", "/links", "", {"wall": "lobby", "for": "1d"}, 201),
    ("POST", "/pairing", "", {"device": "d" * 43}, 200),
    ("GET", "/pairing", "", None, 200),
    ("GET", "/grants", "", None, 200),
    ("DELETE", "/grants/{id}", "/grants/none", None, 404),
    ("GET", "/admin/session", "", None, 200),
    ("POST", "/admin/session", "", None, 201),
    ("GET", "/admin/refusals", "", None, 200),
    ("GET", "/healthz", "", None, 200),
    ("GET", "/reached", "", None, 200),
    ("GET", "/metrics", "", None, 200),
    ("GET", "/ws", "", None, 426),
]
"""Method, path of the document, address if it is another one, body, and the status of the answer."""


def found(reference: str) -> Any:
    """Return the part of the document that a ``$ref`` names."""
    part: Any = DOCUMENT
    for key in reference.removeprefix("#/").split("/"):
        part = part[key]
    return part


def follow(part: Any) -> Any:
    return found(part["$ref"]) if "$ref" in part else part


def faults(schema: dict[str, Any], value: Any, where: str = "$") -> Iterator[str]:
    """Yield in what a value differs from a schema of the kinds that the document uses.

    A member that the schema does not name is a fault, too, unless it has ``additionalProperties``.
    """
    schema = follow(schema)
    if "oneOf" in schema:
        tried = [list(faults(each, value, where)) for each in schema["oneOf"]]
        yield from () if [] in tried else tried[0]
        return
    types = schema.get("type", list(TYPES))
    names = [types] if isinstance(types, str) else types
    if not any(is_of(name, value) for name in names):
        yield f"{where}: {json.dumps(value)} is no {types}"
    elif value not in schema.get("enum", [value]):
        yield f"{where}: {value} is none of {schema['enum']}"
    elif isinstance(value, str) and not re.search(schema.get("pattern", ""), value):
        yield f"{where}: {value} is not like {schema['pattern']}"
    elif isinstance(value, list):
        for each in value:
            yield from faults(schema.get("items", {}), each, f"{where}[]")
    elif isinstance(value, dict) and "type" in schema:
        yield from faults_of_members(schema, value, where)


def is_of(name: str, value: Any) -> bool:
    is_bool = isinstance(value, bool) and name != "boolean"
    return not is_bool and isinstance(value, TYPES[name])


def faults_of_members(schema: dict[str, Any], value: dict[str, Any], where: str) -> Iterator[str]:
    properties, others = schema.get("properties", {}), schema.get("additionalProperties")
    yield from (f"{where} lacks {key}" for key in schema.get("required", ()) if key not in value)
    for key, member in value.items():
        known = properties.get(key, others)
        if known is None:
            yield f"{where}.{key} is not in the schema"
        else:
            yield from faults(known, member, f"{where}.{key}")


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in DOCUMENT["paths"].items():
        for method in METHODS:
            if method in item:
                yield method.upper(), path, item[method]


def contents(part: Any) -> Iterator[dict[str, Any]]:
    """Yield each ``content`` with a schema below a part of the document."""
    if isinstance(part, dict):
        if "schema" in part:
            yield part
        for each in part.values():
            yield from contents(each)
    elif isinstance(part, list):
        for each in part:
            yield from contents(each)


def references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        for each in part.values():
            yield from references(each)
    elif isinstance(part, list):
        for each in part:
            yield from references(each)


@in_thread
def test_every_route_is_described_and_every_description_is_a_route(serve: Serve) -> None:
    served = serve(CONFIG)
    site, files = served.service.site, served.service.page.files
    known = {path: views for path, views in site._fixed.items() if path not in files}
    known |= {f"{path}/{{}}": views for path, views in site._named.items()}
    known |= {f"{path}/{{}}": views for path, views in site._below.items()}
    routes = {f"{method} {path}" for path, views in known.items() for method in views}
    described = {f"{method} {re.sub('{.*?}', '{}', path)}" for method, path, _ in operations()}
    assert sorted(routes - described - NOT_FOR_PROGRAMS) == [], "add them to docs/openapi.yaml"
    assert sorted(described - routes) == [], "remove them from docs/openapi.yaml"


def test_document_is_well_formed() -> None:
    """What OpenAPI 3.1 demands of the objects that the document uses."""
    assert DOCUMENT["openapi"].startswith("3.1.")
    assert (DOCUMENT["info"]["title"], DOCUMENT["info"]["version"]) == ("streamd", __version__)
    for reference in references(DOCUMENT):
        found(reference)
    ids = [operation["operationId"] for _, _, operation in operations()]
    assert len(set(ids)) == len(ids)
    tags = {tag["name"] for tag in DOCUMENT["tags"]}
    schemes = DOCUMENT["components"]["securitySchemes"].keys()
    for method, path, operation in operations():
        place = f"{method} {path}"
        both = [*DOCUMENT["paths"][path].get("parameters", []), *operation.get("parameters", [])]
        parameters = [follow(each) for each in both]
        names = [(each["in"], each["name"]) for each in parameters]
        assert len(set(names)) == len(names), place
        assert {name for place, name in names if place == "path"} == set(
            re.findall("{(.*?)}", path)
        )
        assert all(each["required"] for each in parameters if each["in"] == "path"), place
        assert all("schema" in each for each in parameters), place
        assert set(operation["tags"]) <= tags, place
        assert operation["summary"], place
        assert all(need.keys() <= schemes for need in operation.get("security", [])), place
        for status, answer in operation["responses"].items():
            assert re.fullmatch("[1-5][0-9][0-9]|default", status), place
            assert follow(answer)["description"], place


def test_examples_are_of_their_schemas() -> None:
    examples = [each for each in contents(DOCUMENT) if "example" in each]
    assert len(examples) > 15
    for each in examples:
        assert list(faults(each["schema"], each["example"])) == []


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ({"seq": 1, "at": "0-0"}, "$ lacks stream"),
        ({"stream": 1, "seq": 1, "at": "0-0"}, "$.stream: 1 is no string"),
        ({"stream": "a", "seq": True, "at": "0-0"}, "$.seq: true is no integer"),
        ({"stream": "a", "seq": 1, "at": "x"}, "$.at: x is not like ^[0-9]+-[0-9]+$"),
        ({"stream": "a", "seq": 1, "at": "0-0", "b": 1}, "$.b is not in the schema"),
    ],
)
def test_faults_are_seen(value: Any, fault: str) -> None:
    answer = DOCUMENT["paths"]["/streams/{name}"]["post"]["responses"]["201"]
    assert list(faults(answer["content"]["application/json"]["schema"], value)) == [fault]


def ask(served: Served, method: str, address: str, body: Any) -> Answer:
    text = body if isinstance(body, str) or body is None else json.dumps(body)
    return served.request(method, quote(address, safe="/?=&*-"), text, ADMIN)


@in_thread
def test_answers_are_as_described(serve: Serve) -> None:
    served, compared = serve(CONFIG), 0
    for method, path, address, body, status in ASKED:
        answer = ask(served, method, address or path, body)
        place = f"{method} {address or path}"
        assert answer.status == status, (place, answer.body)
        responses = DOCUMENT["paths"][path][method.lower()]["responses"]
        told = follow(responses.get(str(status)) or responses["default"])
        kind = answer.headers.get("Content-Type", "").partition(";")[0]
        if kind == "application/json" and "content" in told:
            schema = told["content"][kind]["schema"]
            assert list(faults(schema, json.loads(answer.body))) == [], place
            compared += 1
        elif kind != "application/json":
            assert status == 204 or kind in told["content"], place
    assert compared > 20
