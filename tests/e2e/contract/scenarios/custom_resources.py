"""CustomResourceDefinitions and their objects, as operators and their users write them."""

from __future__ import annotations

from typing import Any

from tests.e2e.contract.scenarios.objects import Body
from tests.e2e.contract.scenarios.registry import Space, scenario
from tests.e2e.contract.transcript import Transcript

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


def text(**more: Any) -> Body:
    return {"type": "string", **more}


def of(properties: Body, *required: str, **more: Any) -> Body:
    return {"type": "object", "properties": properties, **({"required": list(required)} if required else {}), **more}


PLATFORM = of(
    {"os": text(enum=["linux"]), "arch": text(enum=["amd64", "arm64"]), "location": text(), "sha256": text()},
    "os", "arch", "location",
)  # fmt: skip
SPEC = of(
    {
        "nodeSelector": {"type": "object", "additionalProperties": {"type": "string"}},
        "fetch": of({"platforms": {"type": "array", "items": PLATFORM}, "note": text(nullable=True)}),
        "runtime": of({"name": text(), "handler": text(pattern="^[a-z0-9-]+$", maxLength=20)}, "name", "handler"),
        "rollout": of({"type": text(enum=["rolling", "recreate"], default="recreate")}),
        "count": {"type": "integer", "minimum": 1, "maximum": 5},
        "port": {"x-kubernetes-int-or-string": True},
        "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        "tags": {"type": "array", "items": {"type": "string", "minLength": 2}, "maxItems": 2},
    },
    "fetch", "runtime",
)  # fmt: skip
STATUS = of({"ready": {"type": "integer"}, "phase": text()})


def definition(plural: str, *, scope: str = "Cluster", subresources: bool = False, **names: Any) -> Body:
    kind = plural[:-1].capitalize()
    version: Body = {
        "name": "v1alpha1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": of({"spec": SPEC, "status": STATUS})},
        "additionalPrinterColumns": [
            {"name": "Handler", "type": "string", "jsonPath": ".spec.runtime.handler"},
            {"name": "Ready", "type": "integer", "jsonPath": ".status.ready"},
        ],
    }
    if subresources:
        version["subresources"] = {"status": {}}
    spec = {
        "group": "contract.example",
        "names": {"plural": plural, "kind": kind, **names},
        "scope": scope,
        "versions": [version],
    }
    head = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition"}
    return {**head, "metadata": {"name": f"{plural}.contract.example"}, "spec": spec}


def thing(kind: str, name: str, **spec: Any) -> Body:
    platforms = [{"os": "linux", "arch": "amd64", "location": "https://example.com/a.tar.gz"}]
    whole = {"fetch": {"platforms": platforms}, "runtime": {"name": "r", "handler": "h"}, **spec}
    return {"apiVersion": "contract.example/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": whole}


def served(api: Transcript, plural: str, **options: Any) -> str:
    """Make a definition and wait until it is served; what is compared begins after that."""
    api.quietly("POST", DEFINITIONS, definition(plural, **options))
    where = f"/apis/contract.example/v1alpha1/{plural}"
    for _ in range(40):
        found = api.quietly("GET", where)
        if isinstance(found, dict) and found.get("kind", "").endswith("List"):
            return where
        api.settle(0.25)
    raise TimeoutError(where)


@scenario
def a_definition_is_served(api: Transcript, space: Space) -> None:
    api.post(DEFINITIONS, definition("lamps", shortNames=["la"]))
    served(api, "lamps")
    api.settle(0.5)
    api.get(f"{DEFINITIONS}/lamps.contract.example")
    api.get("/apis/contract.example/v1alpha1")
    api.delete(f"{DEFINITIONS}/lamps.contract.example")


@scenario
def custom_objects_are_written(api: Transcript, space: Space) -> None:
    where = served(api, "chairs")
    api.post(where, thing("Chair", "one"))
    api.post(where, thing("Chair", "one"))
    api.get(f"{where}/one")
    api.patch(f"{where}/one", {"spec": {"runtime": {"handler": "other"}}})
    api.patch(f"{where}/one", {"status": {"ready": 1}})
    api.patch(f"{where}/one", {"metadata": {"labels": {"a": "b"}, "finalizers": ["contract.example/finalizer"]}})
    api.patch(f"{where}/one", {"spec": {"fetch": {"platforms": [{"os": "linux"}]}}}, "strategic")
    api.apply(f"{where}/two", thing("Chair", "two", nodeSelector={"spin": "true"}))
    api.apply(f"{where}/two", thing("Chair", "two", nodeSelector={"spin": "no"}), "other")
    api.apply(f"{where}/two", thing("Chair", "two", nodeSelector={"spin": "no"}), "other", "&force=true")
    api.post(where, thing("Chair", "three", rollout={}))
    api.table(where)
    api.get(f"{where}?labelSelector=a=b")
    api.delete(f"{where}/one")
    api.patch(f"{where}/one", {"metadata": {"finalizers": None}})
    api.get(f"{where}/one")
    api.delete(where)


@scenario
def custom_objects_that_cannot_be(api: Transcript, space: Space) -> None:
    where = served(api, "tables")
    wrong: tuple[Body, ...] = (
        {"fetch": None},
        {"runtime": {"name": "r"}},
        {"runtime": {"name": "r", "handler": "Not Allowed"}},
        {"runtime": {"name": "r", "handler": "a" * 21}},
        {"fetch": {"platforms": [{"os": "windows", "arch": "arm64", "location": "x"}]}},
        {"fetch": {"platforms": [{"os": "linux", "arch": "riscv", "location": "x"}]}},
        {"fetch": {"platforms": [{"os": "linux", "arch": "amd64"}]}},
        {"fetch": {"platforms": "none"}},
        {"rollout": {"type": "slowly"}},
        {"count": 0},
        {"count": 9},
        {"count": "two"},
        {"count": 1.5},
        {"tags": ["a", "bb", "cc"]},
        {"nodeSelector": {"a": 1}},
        {"port": True},
    )
    for spec in wrong:
        api.post(where, thing("Table", "one", **spec))
    api.post(where, {**thing("Table", "one"), "spec": "text"})
    api.post(where, {"apiVersion": "contract.example/v1alpha1", "kind": "Table", "metadata": {"name": "one"}})
    api.post(where, thing("Table", "two", fetch={"note": None}))
    api.patch(f"{where}/two", {"spec": {"count": 7}})
    api.apply(f"{where}/three", thing("Table", "three", count=7))


@scenario
def unknown_members_of_custom_objects_go(api: Transcript, space: Space) -> None:
    where = served(api, "shelves", singular="shelf")
    odd = thing("Shelve", "one", other=1, free={"any": {"thing": 1}}, port="http")
    api.post(where, odd)
    api.post(f"{where}?fieldValidation=Strict", thing("Shelve", "two", other=1))
    api.post(f"{where}?fieldValidation=Warn", thing("Shelve", "three", other=1))


@scenario
def a_custom_status_has_its_own_path(api: Transcript, space: Space) -> None:
    where = served(api, "doors", subresources=True)
    made = api.post(where, {**thing("Door", "one"), "status": {"ready": 4}})
    api.patch(f"{where}/one", {"status": {"ready": 1}})
    api.patch(f"{where}/one/status", {"status": {"ready": 2}, "spec": {"count": 2}})
    api.patch(f"{where}/one", {"spec": {"count": 2}})
    api.put(f"{where}/one", {**made, "metadata": {"name": "one"}})


@scenario
def namespaced_custom_objects(api: Transcript, space: Space) -> None:
    served(api, "cups", scope="Namespaced")
    where = f"/apis/contract.example/v1alpha1/namespaces/{space.name}/cups"
    api.post(where, thing("Cup", "one"))
    api.get("/apis/contract.example/v1alpha1/cups")
    api.post("/apis/contract.example/v1alpha1/namespaces/none/cups", thing("Cup", "one"))


@scenario
def definitions_that_cannot_be(api: Transcript, space: Space) -> None:
    changes: tuple[Body, ...] = ({"scope": "Galaxy"}, {"group": "other.example"}, {"versions": []})
    for change in changes:
        whole = definition("odds")
        whole["spec"].update(change)
        api.post(DEFINITIONS, whole)
    bare = definition("bares")
    del bare["spec"]["versions"][0]["schema"]
    api.post(DEFINITIONS, bare)
