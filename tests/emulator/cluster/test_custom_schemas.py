"""Custom objects against their schema; the words are proved against the real API server by the contract suite."""

from __future__ import annotations

from typing import Any

import pytest

from aks_wasm.emulator.cluster.custom_schemas import fill, problems, unchecked

from .conftest import Api

TEXT = {"type": "string"}


@pytest.mark.parametrize(
    ("schema", "value", "told"),
    [
        ({"type": "integer", "minimum": 1}, 0, "should be greater than or equal to 1"),
        ({"type": "integer", "maximum": 5}, 6, "should be less than or equal to 5"),
        ({"type": "integer", "multipleOf": 2}, 3, "should be a multiple of 2"),
        ({"type": "integer"}, True, 'must be of type integer: "boolean"'),
        ({"type": "integer"}, 1.5, 'must be of type integer: "number"'),
        ({"type": "boolean"}, "yes", 'must be of type boolean: "string"'),
        ({"type": "array", "items": TEXT}, [1], 'x[0] in body must be of type string: "integer"'),
        ({"type": "array", "items": TEXT, "maxItems": 1}, ["a", "b"], "Too many: 2: must have at most 1 items"),
        ({"type": "string", "enum": ["a"]}, "b", 'Unsupported value: "b": supported values: "a"'),
        ({"type": "string", "pattern": "^a$"}, "b", "should match '^a$'"),
        ({"type": "object", "required": ["a"]}, {}, "Required value"),
        ({"type": "object", "additionalProperties": TEXT}, {"k": 1}, 'x.k in body must be of type string: "integer"'),
        ({"x-kubernetes-int-or-string": True}, 1.5, 'must be of type integer,string: "number"'),
    ],
)
def test_a_value_that_the_schema_does_not_allow_is_told(schema: dict[str, Any], value: Any, told: str) -> None:
    [problem] = problems({"properties": {"x": schema}}, {"x": value})
    assert told in problem.text


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "number"}, 1),
        ({"type": "string", "nullable": True}, None),
        ({"type": "object", "x-kubernetes-preserve-unknown-fields": True}, {"any": [1]}),
        ({"x-kubernetes-int-or-string": True}, "25%"),
    ],
)
def test_what_the_schema_allows_is_no_problem(schema: dict[str, Any], value: Any) -> None:
    assert not list(problems({"properties": {"x": schema}}, {"x": value}))


def test_defaults_are_filled_in_at_every_depth() -> None:
    inner = {"type": "object", "properties": {"kind": {"type": "string", "default": "recreate"}}}
    schema = {"properties": {"list": {"type": "array", "items": inner}, "more": {"default": {}, **inner}}}
    obj: dict[str, Any] = {"list": [{}, {"kind": "rolling"}]}
    fill(schema, obj)
    assert obj == {"list": [{"kind": "recreate"}, {"kind": "rolling"}], "more": {"kind": "recreate"}}


def test_rules_that_nothing_looks_at_are_warned_of(api: Api) -> None:
    schema = {"type": "object", "properties": {"spec": {"type": "object", "oneOf": [{}]}}}
    assert unchecked({**schema, "x-kubernetes-validations": [{"rule": "true"}]}) == {
        "oneOf",
        "x-kubernetes-validations",
    }
    spec = {
        "group": "test.example",
        "scope": "Cluster",
        "names": {"plural": "odds", "kind": "Odd"},
        "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}],
    }
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "odds.test.example"},
        "spec": spec,
    }
    answer = api.request("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition)
    assert answer.status_code == 201
    assert "does not look at oneOf of schemas" in answer.headers["Warning"]
