"""What holds for every kind: nothing a client sends makes the server fail, and tables can be made of all of it."""

from __future__ import annotations

import pytest

from aks_wasm.emulator.cluster.kinds import BUILT_IN, Kind

from .conftest import Api

TABLE = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}
BODIES = [{}, {"spec": {}}, {"spec": None, "metadata": {"name": "x", "labels": None}}, {"spec": {"template": {}}}]


def path_of(kind: Kind) -> str:
    root = f"/apis/{kind.group}/{kind.version}" if kind.group else f"/api/{kind.version}"
    return f"{root}/namespaces/default/{kind.resource}" if kind.namespaced else f"{root}/{kind.resource}"


@pytest.mark.parametrize("kind", BUILT_IN, ids=lambda kind: kind.plural)
def test_half_an_object_is_taken_or_refused_but_never_a_failure(api: Api, kind: Kind) -> None:
    where = path_of(kind)
    for number, body in enumerate(BODIES):
        obj = {**body, "metadata": {**(body.get("metadata") or {}), "name": f"x{number}"}}
        made = api.request("POST", where, obj)
        assert made.status_code in {201, 400, 404, 405, 422}, made.text
        if made.status_code == 201 and "get" in kind.verbs:
            again = api.request("PUT", f"{where}/x{number}", {**obj, "metadata": {"name": f"x{number}"}})
            assert again.status_code in {200, 422}, again.text
            applied = api.apply(
                f"{where}/x{number}", {**made.json(), "metadata": {"name": f"x{number}"}}, "ci", "&force=true"
            )
            assert applied.get("code") in {None, 422}, applied
    if "list" in kind.verbs:
        table = api.get(where, headers=TABLE)
        assert all(len(row["cells"]) == len(table["columnDefinitions"]) for row in table["rows"])
