"""From a spec's target to a provider that works, as the command line opens it; and what that costs."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml

from aks_wasm.errors import AksWasmError, UsageError
from aks_wasm.providers.azure.connection import connection_from
from aks_wasm.providers.azure.features import asks_preview
from aks_wasm.providers.azure.kubeconfig import without_kubelogin
from aks_wasm.providers.azure.provider import AzureProvider
from aks_wasm.providers.base import NodePoolRequest, ObservedCluster, ObservedNodePool
from aks_wasm.providers.embedded.provider import EmbeddedProvider
from aks_wasm.providers.registry import exec_environment, open_provider
from aks_wasm.settings import Settings
from aks_wasm.spec.builtin import HELLO
from aks_wasm.spec.models import ClusterSpec
from aks_wasm.wasm.archive import ImageArchive
from aks_wasm.wasm.oci import content_of, package, repository_name
from tests.contract.targets import Target, patience, put_up
from tests.running_emulator import RunningEmulator


def spec(target: str, **document: Any) -> ClusterSpec:
    return ClusterSpec.model_validate({"metadata": {"name": "opened"}, "target": target, **document})


def archive(prefix: str, folder: Path) -> ImageArchive:
    content = content_of(HELLO / "probe" / "probe.wasm")
    return package(content, repository=repository_name(prefix, "opened", "probe"), folder=folder)


def test_the_emulator_is_azure_at_another_address(emulator: RunningEmulator) -> None:
    provider = open_provider(spec("emulator"), Settings(home=emulator.home))
    assert isinstance(provider, AzureProvider)
    with closing(provider):
        assert provider.observe(spec("emulator")).cluster is None
        assert provider.info.images == "registry"
        assert not provider.info.costs_money


def test_azure_itself_is_found_through_the_environment(
    emulator: RunningEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in emulator.environment.items():
        monkeypatch.setenv(name, value)
    provider = open_provider(spec("azure"), Settings.from_environment())
    assert isinstance(provider, AzureProvider)
    with closing(provider):
        assert provider.observe(spec("azure")).cluster is None


def test_a_local_cluster_is_embedded_where_the_file_says_so(emulator: RunningEmulator) -> None:
    provider = open_provider(spec("local", local={"engine": "embedded"}), Settings(home=emulator.home))
    assert isinstance(provider, EmbeddedProvider)
    assert provider.info.images == "load"


def test_kind_without_a_container_engine_is_refused_with_a_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(AksWasmError, match="container engine") as caught:
        open_provider(spec("local", local={"engine": "kind"}), Settings(home=Path("/nowhere")))
    assert caught.value.hint


def test_an_image_is_pushed_once(emulator: RunningEmulator, tmp_path: Path) -> None:
    provider = open_provider(spec("emulator"), Settings(home=emulator.home))
    assert isinstance(provider, AzureProvider)
    with closing(provider):
        image = archive(provider.info.image_prefix, tmp_path)
        provider.deliver_image(spec("emulator"), image, patience())
        sent = len(emulator.requests("registry"))
        provider.deliver_image(spec("emulator"), image, patience())
        assert [entry["method"] for entry in emulator.requests("registry")[sent:]] == ["HEAD"]


def test_without_a_registry_the_way_out_is_told(azure: Target, provider: AzureProvider, tmp_path: Path) -> None:
    assert provider.info.images == "none"
    with pytest.raises(UsageError, match="there is no registry") as caught:
        provider.deliver_image(azure.spec(), archive("aks-wasm.local", tmp_path), patience())
    assert caught.value.hint is not None
    assert "registry.login" in caught.value.hint


def test_an_image_is_loaded_into_local_nodes_once(emulator: RunningEmulator, tmp_path: Path) -> None:
    provider = EmbeddedProvider(emulator.client)
    target = Target("embedded", emulator, lambda _spec: provider)
    wanted = put_up(provider, target)
    image = archive(provider.info.image_prefix, tmp_path)
    for _ in range(2):
        provider.deliver_image(wanted, image, patience())
    assert emulator.control("GET", f"clusters/{target.name}/images")["images"] == [image.name]


def test_a_pool_needs_a_local_cluster(emulator: RunningEmulator) -> None:
    provider = EmbeddedProvider(emulator.client)
    with pytest.raises(UsageError, match="there is no cluster `opened`"):
        provider.put_node_pool(spec("local"), NodePoolRequest("wasm", "amd64", None, "shim", 1), patience())


@pytest.mark.parametrize(
    ("route", "pools", "asks"),
    [
        ("auto", None, True),
        ("wasi-preview", None, True),
        ("shim", None, False),
        ("auto", (), True),
        ("auto", (ObservedNodePool("wasm", "Succeeded", "User", 1, route="shim"),), False),
        ("auto", (ObservedNodePool("wasm", "Succeeded", "User", 1, route="wasi-preview"),), True),
        ("wasi-preview", (ObservedNodePool("wasm", "Succeeded", "User", 1, route="shim"),), True),
    ],
)
def test_the_preview_is_looked_at_only_while_a_pool_might_ask_for_it(
    route: str, pools: tuple[ObservedNodePool, ...] | None, asks: bool
) -> None:
    wanted = spec("azure", nodePools=[{"name": "wasm", "route": route}, {"name": "more", "route": route}])
    cluster = None if pools is None else ObservedCluster("opened", "Succeeded", "", "", {}, pools)
    assert asks_preview(wanted, cluster) is asks


def test_kubectl_gets_its_tokens_from_the_cloud_that_the_file_names(tmp_path: Path) -> None:
    settings, environment = Settings(home=tmp_path), dict[str, str]()
    for cloud in ("public", "usgovernment"):
        endpoints = connection_from(spec("azure", azure={"cloud": cloud}).azure, settings)
        environment[cloud] = exec_environment(settings, endpoints.authority, emulated=False)["AZURE_AUTHORITY_HOST"]
    assert environment == {
        "public": "https://login.microsoftonline.com",
        "usgovernment": "https://login.microsoftonline.us",
    }


def test_an_entra_kubeconfig_asks_us_for_tokens_and_holds_no_secret() -> None:
    plugin = {"command": "kubelogin", "args": ["get-token"], "apiVersion": "client.authentication.k8s.io/v1beta1"}
    text = yaml.safe_dump({"kind": "Config", "users": [{"name": "u", "user": {"exec": plugin}}]})
    changed = yaml.safe_load(without_kubelogin(text, {"AKS_WASM_TARGET": "azure"}))["users"][0]["user"]["exec"]
    assert changed["command"].endswith("aks-wasm")
    assert changed["args"] == ["kube-token"]
    assert changed["env"] == [{"name": "AKS_WASM_TARGET", "value": "azure"}]


def test_a_kubeconfig_with_a_certificate_stays_as_it_is() -> None:
    text = "users:\n- name: u\n  user: {client-certificate-data: eA==}\n"
    assert without_kubelogin(text, {}) == text


def test_opening_a_provider_loads_no_client_and_no_identity() -> None:
    program = (
        "import sys; from pathlib import Path; from aks_wasm.providers.registry import open_provider; "
        "from aks_wasm.spec.models import ClusterSpec; from aks_wasm.settings import Settings; "
        "open_provider(ClusterSpec(metadata={'name': 'a'}), Settings(home=Path('/nowhere'))); "
        "print([name for name in sys.modules if name.startswith(('azure.mgmt', 'azure.identity', 'msal', 'kubernetes',"
        " 'aiohttp', 'cryptography', 'requests', 'aks_wasm.emulator'))])"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
