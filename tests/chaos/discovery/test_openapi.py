"""From a description of requests to calls that a person would have written."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from chaos.discovery import har, openapi
from chaos.discovery.call import of_users

ITEM = {
    "type": "object",
    "required": ["name", "tags", "size"],
    "properties": {
        "name": {"type": "string", "minLength": 10},
        "tags": {"type": "array", "items": {"$ref": "#/components/schemas/Tag"}},
        "size": {"anyOf": [{"type": "null"}, {"type": "integer", "minimum": 3}]},
        "note": {"type": "string"},
    },
}
DOCUMENT = {
    "openapi": "3.1.0",
    "paths": {
        "/items": {
            "get": {"parameters": [{"name": "q", "in": "query", "required": True}]},
            "post": {
                "requestBody": {
                    "content": {
                        "application/json": {"schema": {"$ref": "#/components/schemas/Item"}}
                    }
                }
            },
        },
        "/items/{id}": {
            "parameters": [{"name": "id", "in": "path", "schema": {"type": "integer"}}],
            "get": {},
        },
        "/secret": {"get": {"parameters": [{"name": "X-Key", "in": "header", "required": True}]}},
        "/metrics": {"get": {}},
    },
    "components": {"schemas": {"Item": ITEM, "Tag": {"enum": ["red", "blue"]}}},
}


def test_examples_come_from_the_schema_and_ids_from_lists() -> None:
    found = {(c.method, c.path): c for c in openapi.calls(DOCUMENT)}
    assert ("GET", "/secret") not in found  # nobody can guess its key
    assert found["GET", "/items"].example == "/items?q=example"
    assert found["GET", "/items/{id}"].example == "/items/1"
    assert found["GET", "/items/{id}"].ids_from == "/items"
    assert found["POST", "/items"].body == {"name": "examplexxx", "tags": ["red"], "size": 3}
    assert not of_users(found["GET", "/metrics"])


def test_a_schema_that_refers_to_itself_ends() -> None:
    tree: dict[str, Any] = {"type": "object", "required": ["next"], "properties": {}}
    tree["properties"]["next"] = {"$ref": "#/components/schemas/Tree"}
    assert openapi.example({"components": {"schemas": {"Tree": tree}}}, tree)


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=10,
)


@given(st.dictionaries(st.sampled_from(["openapi", "paths", "components", "basePath"]), json))
def test_any_document_is_read_without_a_traceback(document: dict[str, Any]) -> None:
    openapi.calls(document)


def test_a_har_file_gives_each_request_once() -> None:
    def entry(method: str, url: str) -> dict[str, Any]:
        return {"request": {"method": method, "url": url}}

    entries = [
        entry("GET", "https://shop.example/items?page=1"),
        entry("GET", "https://shop.example/items?page=2"),
        entry("POST", "https://shop.example/orders"),
        entry("GET", "https://cdn.example/logo.png"),
    ]
    found = har.calls({"log": {"entries": entries}}, "shop.example")
    assert [(c.method, c.path, c.example) for c in found] == [
        ("GET", "/items", "/items?page=1"),
        ("POST", "/orders", "/orders"),
    ]
