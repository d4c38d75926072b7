from __future__ import annotations

import tomllib

import pytest

from aks_wasm.errors import ServiceError
from aks_wasm.providers.kind import containerd

KIND = """
version = 2
[plugins."io.containerd.grpc.v1.cri".containerd]
  default_runtime_name = "runc"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
  base_runtime_spec = "/etc/containerd/cri-base.json"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
    SystemdCgroup = true
"""
AKS_2404 = """
version = 2
oom_score = -999
[plugins."io.containerd.cri.v1.images".pinned_images]
  sandbox = "mcr.microsoft.com/oss/v2/kubernetes/pause:3.10.1"
[plugins."io.containerd.cri.v1.runtime".containerd]
  default_runtime_name = "runc"
  [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
      BinaryName = "/usr/bin/runc"
      SystemdCgroup = true
"""
HANDLERS = {"aks-wasm-spin-v0-25-1": "/opt/aks-wasm/provided/shims/aks-wasm-spin-v0-25-1/containerd-shim-spin-v2"}


@pytest.mark.parametrize(
    ("root", "expected"),
    [
        (KIND, "io.containerd.grpc.v1.cri"),
        (AKS_2404, "io.containerd.cri.v1.runtime"),  # version 2 and the ids of containerd 2: the ids win
        ("version = 2\n", "io.containerd.grpc.v1.cri"),
        ("version = 3\n", "io.containerd.cri.v1.runtime"),
        ('version = 3\n[plugins."io.containerd.cri.v1.images"]\n', "io.containerd.cri.v1.runtime"),
        ("", "io.containerd.grpc.v1.cri"),
    ],
)
def test_the_plugin_id_is_the_one_that_this_file_is_read_by(root: str, expected: str) -> None:
    assert containerd.plugin_id(root) == expected


def test_a_file_that_is_no_toml_is_named() -> None:
    with pytest.raises(ServiceError, match="node image's containerd configuration is not TOML") as caught:
        containerd.plugin_id("version = = 2")
    assert caught.value.hint


@pytest.mark.parametrize("root", [KIND, AKS_2404])
@pytest.mark.parametrize("systemd", [True, False])
def test_a_patch_adds_the_runtime_under_the_same_id_as_runc(root: str, systemd: bool) -> None:
    patch = tomllib.loads(containerd.patch(root, HANDLERS, systemd_cgroup=systemd))
    assert patch["version"] == 2  # kind skips a patch of another version
    (plugin,) = patch["plugins"]
    assert plugin == containerd.plugin_id(root)
    ((handler, settings),) = patch["plugins"][plugin]["containerd"]["runtimes"].items()
    assert settings == {"runtime_type": HANDLERS[handler], **({"options": {"SystemdCgroup": True}} if systemd else {})}


def test_what_is_in_effect_is_read_under_either_id() -> None:
    for root in (KIND, AKS_2404):
        effective = containerd.runtimes(root)
        assert set(effective) == {"runc"}


def test_a_runtime_that_is_dropped_is_found() -> None:
    before = containerd.runtimes(KIND)
    assert containerd.differences(before, before, HANDLERS) == ["the runtime `aks-wasm-spin-v0-25-1` is not in effect"]


def test_settings_of_runc_that_are_lost_are_found() -> None:
    """As containerd 2.3 does with a kind node whose patch has the other id (facts wasm.md, finding 3)."""
    lost = KIND.replace("SystemdCgroup = true", "SystemdCgroup = false").replace(
        '"/etc/containerd/cri-base.json"', '""'
    )
    found = containerd.differences(containerd.runtimes(KIND), containerd.runtimes(lost), ())
    assert found == [
        "`base_runtime_spec` of the runtime `runc` was '/etc/containerd/cri-base.json' and is ''",
        "`options.SystemdCgroup` of the runtime `runc` was True and is False",
    ]
    gone = containerd.differences(containerd.runtimes(KIND), {}, ())
    assert gone == ["the runtime `runc` is gone"]


def test_settings_that_are_added_are_no_difference() -> None:
    before = containerd.runtimes(KIND)
    after = containerd.runtimes(KIND + containerd.patch(KIND, HANDLERS, systemd_cgroup=True).partition("\n")[2])
    assert containerd.differences(before, after, HANDLERS) == []


@pytest.mark.parametrize(
    ("root", "version", "told"),
    [
        (KIND, "containerd github.com/containerd/containerd/v2 v2.3.4 abc", True),
        (KIND, "containerd github.com/containerd/containerd 1.7.30-1 abc", True),
        (KIND, "containerd github.com/containerd/containerd 1.6.20~ds1 1.6.20~ds1-1+deb12u1", False),
        (KIND, "", True),
        ("version = 2", "containerd github.com/containerd/containerd/v2 v2.3.4 abc", False),
    ],
)
def test_shims_use_systemd_where_runc_does_and_containerd_can_tell_them(root: str, version: str, told: bool) -> None:
    assert containerd.systemd_for_shims(containerd.runtimes(root), version) is told
