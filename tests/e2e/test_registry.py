"""Images of a registry on a cluster that `up --local` has made: pulled if they are there, named if they are not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.machine import Machine
from tests.e2e.product import Product
from tests.e2e.registry import Registry, registry_of

VARIANT = "aks2404"  # its containerd looks for registries' certificates where AKS keeps them


@pytest.fixture(scope="module")
def product(machine: Machine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    made = Product(machine, tmp_path_factory.mktemp("registry"), "up-registry", VARIANT)
    made.up()
    yield made
    made("down", "--yes")
    machine.run("kind", "--quiet", "delete", "cluster", "--name", made.name, "--kubeconfig", made.kubeconfig)


@pytest.fixture
def registry(product: Product, tmp_path: Path) -> Iterator[Registry]:
    """A registry that the nodes trust."""
    with registry_of(product.machine, tmp_path / "registry") as started:
        trust(product, started)
        yield started


def test_an_image_is_pulled_and_runs(product: Product, registry: Registry) -> None:
    image = registry.push_module(product.machine.apps / "task.wasm", "team/task")
    with product.also({"name": "pulled", "kind": "job", "shim": "wasmtime", "image": image, "args": ["hello"]}):
        product.up()
        assert product("workload", "logs", "pulled").stdout.startswith("hello from")
        product("workload", "delete", "pulled", "--yes")


@pytest.mark.parametrize("name", ["nobody/made:this", "team/task:nobody-made-this"], ids=["repository", "tag"])
def test_an_image_that_is_not_there_is_named(product: Product, registry: Registry, name: str) -> None:
    registry.push_module(product.machine.apps / "task.wasm", "team/task")
    image = f"{registry.host}/{name}"
    stderr, message = refused(product, image)
    told = f"the image `{image}` cannot be pulled: "
    assert f"Deployment `absent` cannot run: {told}" in stderr
    assert f"{image}: not found" in stderr
    assert told in message
    assert f"{image}: not found" in message


def test_an_image_behind_a_login_is_named(product: Product, tmp_path: Path) -> None:
    with registry_of(product.machine, tmp_path / "registry", wants_login=True) as private:
        trust(product, private)
        stderr, message = refused(product, f"{private.host}/team/x:1")
    told = "the registry does not let its node pull the image"
    assert told in stderr
    assert told in message


def trust(product: Product, registry: Registry) -> None:
    """Let both nodes pull from a registry."""
    for role in ("control-plane", "worker"):
        product.machine.engine("exec", f"{product.name}-{role}", "sh", "-euc", registry.trust())


def refused(product: Product, image: str) -> tuple[str, str]:
    """Ask for a workload of an image that can't be had; return what `up` says, and `status` afterwards."""
    with product.also({"name": "absent", "shim": "none", "image": image, "expose": "none"}):
        ran = product("up", "--yes", "--progress", "plain", "--timeout", "3m")
        assert ran.code == 1, str(ran)
        message = str(product.status("absent")["message"])
        product("workload", "delete", "absent", "--yes")
    return ran.stderr, message
