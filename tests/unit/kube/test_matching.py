from __future__ import annotations

import copy
from decimal import Decimal
from typing import Any

import pytest

from aks_wasm.kube.matching import APPLIED, matches, quantity, stamped

DESIRED: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web", "labels": {"a": "b"}},
    "spec": {
        "replicas": 2,
        "template": {
            "spec": {
                "automountServiceAccountToken": False,
                "containers": [
                    {
                        "name": "web",
                        "image": "web:1",
                        "args": ["x", "y"],
                        "resources": {"requests": {"cpu": "0.1", "memory": "64Mi"}},
                        "env": [{"name": "A", "value": ""}, {"name": "B", "value": "2"}],
                    }
                ],
                "tolerations": [{"key": "k", "operator": "Exists"}],
            }
        },
    },
}


def live() -> dict[str, Any]:
    """The object as an API server gives it back: defaulted, normalised, with fields of its own."""
    found = copy.deepcopy(stamped(DESIRED))
    found["metadata"] |= {"uid": "1", "resourceVersion": "7", "generation": 1}
    found["status"] = {"replicas": 2}
    pod = found["spec"]["template"]["spec"]
    del pod["automountServiceAccountToken"]
    container = pod["containers"][0]
    container["imagePullPolicy"] = "IfNotPresent"
    container["resources"]["requests"]["cpu"] = "100m"
    container["env"] = [{"name": "B", "value": "2"}, {"name": "A"}]
    return found


def test_what_was_applied_matches_itself_as_the_server_returns_it() -> None:
    assert matches(live(), DESIRED)


def test_a_manifest_is_stamped_without_being_changed() -> None:
    before = copy.deepcopy(DESIRED)
    assert APPLIED in stamped(DESIRED)["metadata"]["annotations"]
    assert before == DESIRED


@pytest.mark.parametrize(
    "change",
    [
        lambda found: found["spec"].update(replicas=3),
        lambda found: found["metadata"]["labels"].pop("a"),
        lambda found: found["spec"]["template"]["spec"]["containers"][0].update(image="web:2"),
        lambda found: found["spec"]["template"]["spec"]["containers"][0]["args"].reverse(),
        lambda found: found["spec"]["template"]["spec"]["containers"][0]["env"].pop(),
        lambda found: found["spec"]["template"]["spec"]["containers"].append({"name": "sidecar"}),
        lambda found: found["spec"]["template"]["spec"]["containers"][0]["resources"]["requests"].update(cpu="200m"),
        lambda found: found["spec"]["template"]["spec"].update(automountServiceAccountToken=True),
        lambda found: found["spec"]["template"].pop("spec"),
        lambda found: found["metadata"].pop("annotations"),
    ],
)
def test_drift_is_noticed(change: Any) -> None:
    found = live()
    change(found)
    assert not matches(found, DESIRED)


def test_a_field_that_left_the_manifest_counts_as_a_change() -> None:
    shorter = copy.deepcopy(DESIRED)
    del shorter["spec"]["template"]["spec"]["containers"][0]["args"]
    assert not matches(live(), shorter)


def test_empty_tables_and_lists_may_come_back_as_nothing() -> None:
    desired = {"kind": "ConfigMap", "metadata": {"name": "x"}, "data": {}, "list": []}
    found = stamped(desired)
    del found["data"]
    del found["list"]
    assert matches(found, desired)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("100m", "0.1"),
        ("0.1", "0.1"),
        ("1", "1"),
        (2, "2"),
        ("64Mi", "67108864"),
        ("1k", "1000"),
        ("1.5Gi", "1610612736"),
        ("2e3", "2000"),
    ],
)
def test_quantities_are_compared_as_numbers(text: object, number: str) -> None:
    assert quantity(text) == Decimal(number)


def test_what_is_no_quantity_is_compared_as_text() -> None:
    assert quantity("large") == "large"
    assert quantity(None) is None
