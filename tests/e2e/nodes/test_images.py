"""A shim that comes out of an image: pulled by the containerds that nodes have, or not, and then why."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.archives import Image, write_archive
from tests.e2e.machine import Machine
from tests.e2e.nodes.node import BINARY, Node, node_of
from tests.e2e.nodes.test_matrix import AKS_2204, AKS_2404, V1
from tests.e2e.registry import Registry, registry_of


@pytest.fixture(scope="module", params=["1.6", "1.7", "2.2", "2.3"])
def node(machine: Machine, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    with node_of(machine, request.param, tmp_path_factory.mktemp("images")) as started:
        text = AKS_2204 if request.param.startswith("1.") else AKS_2404
        started.configure(text.replace("@PAUSE@", started.pause))
        yield started


def trusted(node: Node, registry: Registry) -> None:
    """Have the node trust it, as a mirror and by itself: containerd 1.x tells of an absent image what came last."""
    node.sh(registry.trust())
    place = f"/etc/containerd/certs.d/{registry.host}"
    node.sh(f"sed -i '1i ca = \"{place}/ca.crt\"' {place}/hosts.toml")


def located(registry: Registry, name: str) -> str:
    return f"oci://{registry.host}/{name}//{BINARY}"


def test_a_registry_that_only_the_nodes_own_configuration_trusts(node: Node, machine: Machine, tmp_path: Path) -> None:
    archive = tmp_path / "shim.tar"
    write_archive(archive, [Image("team/shim:1", {BINARY: machine.shim}, f"/{BINARY}")])
    with registry_of(machine, tmp_path / "registry") as registry:
        registry.put(archive)
        trusted(node, registry)
        files = node.files()
        absent = node.script("install", node.line(location=located(registry, "team/shim:2")))
        assert absent.error.startswith(f"NotFound: {registry.host}/team/shim:2 is not in its registry: ")
        assert node.files() == files
        done = node.script("install", node.line(location=located(registry, "team/shim:1")))
        assert done.code == 0, done.err
        assert node.wasm(V1) == "ok"
        assert node.script("remove").code == 0
        assert node.files() == files
        node.sh(registry.distrust())


def test_a_registry_that_wants_a_login_is_told_as_such(node: Node, machine: Machine, tmp_path: Path) -> None:
    with registry_of(machine, tmp_path / "registry", wants_login=True) as registry:
        trusted(node, registry)
        refused = node.script("install", node.line(location=located(registry, "team/shim:1")))
        assert refused.error.startswith(f"Unauthorized: the registry of {registry.host}/team/shim:1 wants a login")
        node.sh(registry.distrust())
