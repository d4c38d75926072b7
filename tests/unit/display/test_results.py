"""One result, four formats; tables that keep names whole."""

from __future__ import annotations

import json

import yaml

from aks_wasm.display.results import document_of, failure_document, render_document, render_result, render_table
from aks_wasm.workflows.results import (
    ActionResult,
    ClusterResult,
    ClusterState,
    ListResult,
    NodePoolState,
    StepRecord,
    Table,
    WorkloadState,
)

LONG = "a-name-of-63-characters-" + "x" * 39
CLUSTER = ClusterResult(
    "UpResult",
    ok=True,
    cluster=ClusterState("demo", "azure", "Succeeded", "westeurope", "1.35.5", "demo-group", "demo", "Registered"),
    node_pools=(NodePoolState("wasm", "Succeeded", "arm64", "Standard_D2ps_v5", 1, "User", "shim"),),
    workloads=(WorkloadState(LONG, "service", "spin", ready=False, replicas="0/2", message="no\nroom"),),
)


def test_json_and_yaml_hold_the_same_document() -> None:
    as_json = json.loads(render_result(CLUSTER, "json", 80))
    assert yaml.safe_load(render_result(CLUSTER, "yaml", 80)) == as_json
    assert list(as_json)[:3] == ["apiVersion", "kind", "ok"]
    assert list(as_json)[-1] == "error"


def test_every_document_says_whether_it_is_ok() -> None:
    for result in (ActionResult("FeatureResult", "f", {"state": "x"}), ListResult("NodePoolList", "nodepool", ())):
        document = document_of(result)
        assert (document["ok"], document["error"]) == (True, None)


def test_a_failure_keeps_what_is_known_and_is_never_ok() -> None:
    document = failure_document("UpResult", {"ok": True, "steps": []}, {"code": "X"})
    assert document == {
        "apiVersion": "aks-wasm/v1",
        "kind": "UpResult",
        "ok": False,
        "steps": [],
        "error": {"code": "X"},
    }
    assert render_document({"name": "ü"}, "json") == '{\n  "name": "ü"\n}\n'


def test_names_are_one_a_line() -> None:
    assert render_result(CLUSTER, "name", 80).splitlines() == ["cluster/demo", "nodepool/wasm", f"workload/{LONG}"]


def test_tables_keep_names_whole_and_have_no_colour() -> None:
    text = render_result(CLUSTER, "table", 80)
    assert LONG in text
    assert "\x1b" not in text
    assert "no room" in text
    assert max(map(len, text.splitlines())) <= 80


def test_columns_are_aligned() -> None:
    table = Table(("NAME", "STATE"), (("a", "Succeeded"), ("longer", "")))
    assert render_table(table, 80) == "NAME    STATE\na       Succeeded\nlonger  -\n"


def test_records_too_wide_for_columns_stand_below_each_other() -> None:
    table = Table(("NAME", "STATE", "M"), (("a" * 40, "b" * 40, "c"), ("d", "e", "f")), "Pools")
    lines = render_table(table, 80).splitlines()
    assert lines[:2] == ["Pools", f"NAME   {'a' * 40}"]
    assert len(lines) == 8


def test_a_long_last_column_goes_on_below_itself() -> None:
    table = Table(("NAME", "MESSAGE"), (("a", "word " * 30), ("b", f"push {LONG}"), ("c", "")))
    lines = render_table(table, 40).splitlines()
    assert lines[1] == "a     word word word word word word word"
    assert lines[2].startswith("      word")
    assert f"      {LONG}" in lines
    assert lines[-1] == "c     -"


def test_a_plan_is_its_steps_and_what_they_do() -> None:
    plan = ClusterResult(
        "PlanResult",
        ok=True,
        cluster=CLUSTER.cluster,
        steps=(StepRecord("cluster/demo", "planned", summary="create it"),),
    )
    assert render_result(plan, "table", 80) == "STEP          WHAT IT DOES\ncluster/demo  create it\n"


def test_values_of_an_action_read_well() -> None:
    action = ActionResult("EmulatorResult", "emulator", {"serviceAge": "today", "pace": 0.01, "clusters": ["a", "b"]})
    assert render_result(action, "table", 80) == "SERVICE AGE  PACE  CLUSTERS\ntoday        0.01  a, b\n"
    action = ActionResult("EmulatorResult", "emulator", {"started": True, "pace": 1.0})
    assert render_result(action, "table", 80) == "STARTED  PACE\nyes      1\n"


def test_nothing_is_said_in_a_word() -> None:
    assert render_result(ListResult("NodePoolList", "nodepool", ()), "table", 80) == "nothing\n"
