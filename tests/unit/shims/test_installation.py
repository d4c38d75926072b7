"""What the installer is made of, as Kubernetes is told."""

from __future__ import annotations

import base64
import gzip
import hashlib
import random
import re
from dataclasses import replace
from typing import Any

import pytest

from aks_wasm.errors import UsageError
from aks_wasm.shims.catalogue import select
from aks_wasm.shims.installer import (
    Binary,
    Installation,
    ProbeImage,
    node_script,
    shim_list,
    shims_of,
    stay_image_key,
)
from aks_wasm.shims.installer.parts import PART_BYTES, part_maps, parts_in
from aks_wasm.shims.labels import SHIMS, SYSTEM_NAMESPACE
from e2e.recipes.installer_image import NAMES

TAINT = "aks-wasm.dev/wasm=true:NoSchedule"
SPIN, WASMTIME = select(("spin", "wasmtime"))
OLD_SPIN = select(("spin@v0.24.0",))[0]
IMAGES = {
    "probe-spin-serves": ProbeImage("aks-wasm.dev/probe-spin-serves:1", b"spin archive"),
    "probe-module-completes": ProbeImage("aks-wasm.dev/probe-module-completes:1", b"module archive"),
}
WANTED = Installation("demo", (SPIN, WASMTIME), (TAINT,), IMAGES)


def one(made: list[dict[str, Any]], kind: str, name: str | None = None) -> dict[str, Any]:
    (found,) = [m for m in made if m["kind"] == kind and name in (None, m["metadata"]["name"])]
    return found


def pod_spec(wanted: Installation) -> dict[str, Any]:
    spec: dict[str, Any] = one(wanted.manifests(), "DaemonSet")["spec"]["template"]["spec"]
    return spec


def test_the_namespace_comes_first_and_the_daemon_set_last() -> None:
    kinds = [manifest["kind"] for manifest in WANTED.manifests()]
    assert (kinds[0], kinds[-1]) == ("Namespace", "DaemonSet")
    assert {"ServiceAccount", "Role", "RoleBinding", "Lease", "ConfigMap"} < set(kinds)


def test_the_namespace_takes_privileged_pods() -> None:
    assert WANTED.manifests()[0]["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "privileged"


def test_every_object_carries_its_owner_and_lives_in_our_namespace() -> None:
    for manifest in (*WANTED.manifests(), *WANTED.probe_daemon_sets()):
        assert manifest["metadata"]["labels"]["app.kubernetes.io/part-of"] == "demo"
        assert manifest["metadata"].get("namespace", SYSTEM_NAMESPACE) == SYSTEM_NAMESPACE


def test_the_installer_may_take_its_turn_and_nothing_else() -> None:
    made = replace(WANTED, max_unavailable=2).manifests()
    (rule,) = one(made, "Role")["rules"]
    assert (rule["resources"], rule["verbs"]) == (["leases"], ["get", "patch"])
    assert rule["resourceNames"] == ["shim-installer-0", "shim-installer-1"]
    assert [m["metadata"]["name"] for m in made if m["kind"] == "Lease"] == rule["resourceNames"]
    assert all("spec" not in m for m in made if m["kind"] == "Lease"), "whose turn it is belongs to the nodes"
    assert one(made, "RoleBinding")["subjects"] == [
        {"kind": "ServiceAccount", "name": "shim-installer", "namespace": SYSTEM_NAMESPACE}
    ]
    assert not [m for m in made if m["kind"].startswith("ClusterRole")]


def test_one_container_installs_and_one_keeps_both_with_the_nodes_root() -> None:
    spec = pod_spec(WANTED)
    install, keep = spec["initContainers"][0], spec["containers"][0]
    for container, verb in ((install, "install"), (keep, "keep")):
        assert container["name"] == verb
        assert container["command"][-1].endswith(f'node-script.sh" {verb} "$folder"')
        assert container["securityContext"] == {"privileged": True}
        assert container["terminationMessagePolicy"] == "FallbackToLogsOnError"
        assert {"name": "host", "mountPath": "/host", "mountPropagation": "HostToContainer"} in container[
            "volumeMounts"
        ]
        assert {entry["name"] for entry in container["env"]} == {"NODE_NAME", "POD_UID", "SYSTEMD_IGNORE_CHROOT"}
    assert keep["readinessProbe"]["exec"]["command"] == ["test", "-f", "/host/run/aks-wasm/healthy"]
    assert spec["hostPID"] is True, "systemctl talks to no systemd whose process it cannot see"


def test_every_volume_is_mounted_since_the_kubelet_makes_no_others() -> None:
    spec = pod_spec(WANTED)
    mounted = {mount["name"] for mount in spec["containers"][0]["volumeMounts"]}
    assert mounted == {volume["name"] for volume in spec["volumes"]}
    assert spec["automountServiceAccountToken"] is False


def test_it_works_where_it_is_told_and_as_many_at_a_time() -> None:
    elsewhere = replace(WANTED, node_selector={"pool": "x"}, max_unavailable=3, image="mirror.example/busybox:1")
    daemon_set = one(elsewhere.manifests(), "DaemonSet")
    spec = daemon_set["spec"]["template"]["spec"]
    assert spec["nodeSelector"] == {"kubernetes.io/os": "linux", "pool": "x"}
    assert daemon_set["spec"]["updateStrategy"]["rollingUpdate"] == {"maxUnavailable": 3}
    assert {container["image"] for container in (*spec["initContainers"], *spec["containers"])} == {
        "mirror.example/busybox:1"
    }
    assert pod_spec(WANTED)["nodeSelector"][SHIMS] == "installed"


def test_what_runs_privileged_on_every_node_is_pinned_by_digest_and_the_bench_has_it() -> None:
    spec = pod_spec(WANTED)
    (image,) = {container["image"] for container in (*spec["initContainers"], *spec["containers"])}
    named = re.fullmatch(r"(mcr\.microsoft\.com/[a-z/-]+):[0-9.]+(@sha256:[0-9a-f]{64})", image)
    assert named is not None
    assert f"{named[1]}{named[2]}" in NAMES


def test_the_settings_are_lines_that_no_shell_has_to_read() -> None:
    data = one(replace(WANTED, max_unavailable=2, local_image_pull=True).manifests(), "ConfigMap", "shim-installer")
    assert data["data"]["settings"].splitlines() == [
        "local_image_pull=true",
        "turns=2",
        "namespace=aks-wasm-system",
    ]


@pytest.mark.parametrize(
    "other",
    [
        replace(WANTED, shims=(SPIN,)),
        replace(WANTED, shims=(SPIN, WASMTIME, OLD_SPIN)),
        replace(WANTED, local_image_pull=True),
        replace(WANTED, probes={"probe-spin-serves": ProbeImage("other:2", b"spin archive")}),
    ],
)
def test_another_list_or_setting_rolls_the_installer_out_again(other: Installation) -> None:
    def template(wanted: Installation) -> dict[str, Any]:
        metadata: dict[str, Any] = one(wanted.manifests(), "DaemonSet")["spec"]["template"]["metadata"]
        return metadata

    assert template(WANTED) == template(replace(WANTED))
    assert template(WANTED) != template(other)


def test_the_list_for_the_script_has_a_line_for_each_platform() -> None:
    lines = shim_list((SPIN,)).splitlines()
    assert len(lines) == 2
    handler, binary = "aks-wasm-spin-v0-25-1", "containerd-shim-spin-v2"
    assert lines[0].split("\t")[:6] == ["spin", "v0.25.1", handler, binary, "linux", "amd64"]
    assert node_script().startswith("#!/bin/sh\n")


def test_what_is_installed_can_be_read_back_from_the_cluster() -> None:
    live = one(WANTED.manifests(), "ConfigMap", "shim-installer")
    found = shims_of(live)
    assert [(s.name, s.version, s.handler, s.platforms) for s in found] == [
        (s.name, s.version, s.handler, s.platforms) for s in (SPIN, WASMTIME)
    ]
    assert shim_list(found) == shim_list((SPIN, WASMTIME))
    assert shims_of({"data": {"shims.tsv": "broken\n\nx\ty\n"}}) == ()
    assert shims_of({}) == ()


def test_probes_stay_on_every_node_with_an_image_that_the_installer_brings() -> None:
    spin, wasmtime = (made["spec"]["template"]["spec"] for made in WANTED.probe_daemon_sets())
    assert spin["runtimeClassName"] == "aks-wasm-probe-aks-wasm-spin-v0-25-1"
    assert (spin["containers"][0]["command"], spin["containers"][0].get("args")) == (["/"], None)
    assert spin["containers"][0]["readinessProbe"]["tcpSocket"] == {"port": 80}
    assert wasmtime["containers"][0]["args"] == ["stay"]
    for spec, key in ((spin, "probe-spin-serves"), (wasmtime, "probe-module-completes")):
        assert (spec["containers"][0]["image"], spec["containers"][0]["imagePullPolicy"]) == (IMAGES[key].name, "Never")
        assert spec["nodeSelector"][SHIMS] == "installed"
        assert any(t.get("key") == "aks-wasm.dev/wasm" for t in spec["tolerations"])


def test_the_images_of_probes_are_in_a_config_map_and_where_the_script_looks() -> None:
    made = WANTED.manifests()
    data = one(made, "ConfigMap", "shim-installer-probe")["binaryData"]
    assert base64.b64decode(data["probe-spin-serves.tar"]) == b"spin archive"
    volume = next(v for v in pod_spec(WANTED)["volumes"] if v["name"] == "installer")
    items = [item for source in volume["projected"]["sources"] for item in source["configMap"].get("items", ())]
    assert {item["path"] for item in items} == {f"probes/{key}.tar" for key in IMAGES}


def test_old_spin_gets_an_application_that_it_can_read() -> None:
    assert stay_image_key(select(("spin@v0.8.0",))[0]) == "probe-spin-1-serves"
    assert stay_image_key(SPIN) == "probe-spin-serves"
    assert stay_image_key(WASMTIME) == "probe-module-completes"


def test_a_binary_goes_in_parts_that_make_it_whole_again() -> None:
    content = random.Random(1).randbytes(2 * PART_BYTES)
    binary = Binary(content, "my shim")
    maps = part_maps("demo", binary)
    assert binary.key == hashlib.sha256(content).hexdigest()[:12]
    assert [m["metadata"]["name"] for m in maps] == [f"shim-{binary.key}-{n}" for n in range(3)]
    assert all(m["immutable"] for m in maps)
    parts = [base64.b64decode(part) for m in maps for part in m["binaryData"].values()]
    assert max(map(len, parts)) <= PART_BYTES
    assert gzip.decompress(b"".join(parts)) == content
    volume = next(v for v in pod_spec(replace(WANTED, binaries=(binary,)))["volumes"] if v["name"] == "installer")
    paths = [i["path"] for s in volume["projected"]["sources"] for i in s["configMap"].get("items", ())]
    assert [path for path in paths if path.startswith("parts/")] == [
        f"parts/{binary.key}/part-{n:03d}" for n in range(3)
    ]


def test_parts_that_are_in_the_cluster_stay_mounted_without_their_file() -> None:
    binary = Binary(random.Random(2).randbytes(2 * PART_BYTES))
    before = Installation("demo", (SPIN,), binaries=(binary,)).manifests()
    kept = parts_in(before[-1])
    assert kept == {binary.key: len(binary.parts)}
    after = Installation("demo", (SPIN,), kept_parts=kept).manifests()
    assert after[-1] == before[-1]
    assert not [m for m in after if m["metadata"]["name"].startswith(f"shim-{binary.key}")]


def test_a_binary_that_is_too_large_is_refused_with_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aks_wasm.shims.installer.parts.MOST_BYTES", 1000)
    with pytest.raises(UsageError, match="do not go through") as caught:
        Installation("demo", (SPIN,), binaries=(Binary(random.Random(1).randbytes(2000)),)).manifests()
    assert "https://" in (caught.value.hint or "")


def test_runtime_classes_come_in_pairs() -> None:
    classes = WANTED.runtime_classes()
    assert [m["handler"] for m in classes] == [SPIN.handler, SPIN.handler, WASMTIME.handler, WASMTIME.handler]
    probing = classes[1]
    assert probing["metadata"]["name"] == f"aks-wasm-probe-{SPIN.handler}"
    assert "nodeSelector" not in probing["scheduling"]
