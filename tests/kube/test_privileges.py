"""What is asked before a privileged pod is needed; the same is asked of the real API server in tests/e2e."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from aks_wasm.emulator.cluster import managed_policies
from aks_wasm.emulator.cluster.guards import Guard
from aks_wasm.emulator.cluster.statuses import Rejected
from aks_wasm.errors import NotAllowed, Refused
from aks_wasm.kube.client import KubeClient
from aks_wasm.shims.catalogue import select
from aks_wasm.shims.installer import Installation
from aks_wasm.steps.privileges import privileged_allowed, require_privileges
from aks_wasm.steps.runtime import may_install
from aks_wasm.steps.wanted import is_installer
from tests.kube.running_api import RunningApi, client_of

IMAGE = "mcr.example/busybox:1"
ENFORCE = "pod-security.kubernetes.io/enforce"


@contextmanager
def guarded(api: RunningApi, guard: Guard) -> Iterator[None]:
    api.store.guards["test"] = guard
    try:
        yield
    finally:
        del api.store.guards["test"]


def namespace(client: KubeClient, name: str, level: str) -> None:
    labels = {ENFORCE: level}
    client.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})


@pytest.mark.parametrize("name", ["free", "not-there"])
def test_nothing_is_wrong_where_nobody_denies_it_and_nothing_is_left(
    api: RunningApi, client: KubeClient, name: str
) -> None:
    if name == "free":
        namespace(client, name, "privileged")
    assert privileged_allowed(client, name, image=IMAGE) is None
    assert client.get("Namespace", "not-there") is None
    assert not [pod for pod in client.list("Pod") if pod["metadata"]["name"].startswith("aks-wasm-privileged")]


def test_a_level_that_we_may_set_ourselves_is_no_problem_and_stays_as_it_is(client: KubeClient) -> None:
    namespace(client, "strict", "baseline")
    assert privileged_allowed(client, "strict", image=IMAGE) is None
    found = client.get("Namespace", "strict")
    assert found is not None
    assert found["metadata"]["labels"][ENFORCE] == "baseline"


def test_aks_automatic_is_told_with_its_own_words_and_the_ways_out(api: RunningApi, client: KubeClient) -> None:
    with guarded(api, managed_policies.guard):
        problem = privileged_allowed(client, "aks-wasm-system", image=IMAGE)
        with pytest.raises(Refused) as refused:
            require_privileges(client, "aks-wasm-system", image=IMAGE)
    assert problem is not None
    assert problem.field == "namespace `aks-wasm-system`"
    assert "aks-managed-baseline-hostpath-volumes" in problem.message
    assert "Base SKU" in (problem.hint or "")
    assert "--excluded-ns aks-wasm-system" in (problem.hint or "")
    assert (refused.value.exit_code, refused.value.code) == (7, "PrivilegedPodsDenied")


def test_a_webhook_that_denies_it_is_told_too(api: RunningApi, client: KubeClient) -> None:
    class Denied(Rejected):
        def __init__(self) -> None:
            super().__init__("pods", "x", "")
            self.message = (
                'admission webhook "validation.gatekeeper.sh" denied the request: '
                "[azurepolicy-k8sazurev2noprivilege-a759592cb6adc510dcfa] "
                'Privileged container is not allowed: check, securityContext: {"privileged": true}'
            )

    def deny(_store: Any, plural: str, _old: Any, _new: Any) -> list[str]:
        if plural == "pods":
            raise Denied
        return []

    with guarded(api, deny):
        problem = privileged_allowed(client, "free", image=IMAGE)
    assert problem is not None
    assert "Privileged container is not allowed" in problem.message
    assert "excludedNamespaces" in (problem.hint or "")


def test_a_user_without_the_right_to_ask_is_told_so(api: RunningApi) -> None:
    with client_of(api, user={"token": "poor"}) as poor, pytest.raises(NotAllowed):
        privileged_allowed(poor, "default", image=IMAGE)


def test_up_asks_before_the_first_installer_and_not_again(api: RunningApi, client: KubeClient) -> None:
    installer = next(one for one in Installation("demo", select(("spin",))).manifests() if is_installer(one))
    with guarded(api, managed_policies.guard), pytest.raises(Refused, match="aks-managed-baseline"):
        may_install(client, installer)
    namespace(client, installer["metadata"]["namespace"], "privileged")
    client.apply(installer)
    with guarded(api, managed_policies.guard):
        may_install(client, installer)
