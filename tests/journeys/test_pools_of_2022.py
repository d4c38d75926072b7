from __future__ import annotations

from aks_wasm.spec.builtin import HELLO
from tests.journeys.conftest import Tool, fields_of, states

MQTT = f"""
spin_manifest_version = 2
[application]
name = "listener"
[application.trigger.mqtt]
address = "mqtt://nowhere.test"
username = "a"
password = "b"
keep_alive_interval = "30"
[[trigger.mqtt]]
component = "listener"
topic = "a"
qos = "1"
[component.listener]
source = "{HELLO}/service/hello.wasm"
"""
"""Spin on preview pools has no such trigger, so our installer puts a newer one beside it."""


def test_a_pool_that_is_added_leaves_what_workloads_ask_of_preview_pools(tool_2022: Tool) -> None:
    tool_2022.write("spin.toml", MQTT)
    file = fields_of("shims=[spin]", "workloads=[{name: a, source: spin.toml, expose: none}]")
    tool_2022("up", "--yes", *file)  # the emulator has no MQTT: its pods end, sooner or later
    before = states(tool_2022.document("plan", *file))
    tool_2022.document("nodepool", "add", "more", "--arch", "arm64", "--route", "wasi-preview", *file)
    assert set(before) <= {"image/a", "workload/a"}
    more = fields_of("nodePools=[{name: wasm, arch: arm64}, {name: more, arch: arm64}]")
    assert set(states(tool_2022.document("plan", *file, *more))) <= {"image/a", "workload/a"}
