"""Images that a node cannot pull, unpack or run; texts are containerd's."""

from __future__ import annotations

import pytest

from aks_wasm.workflows.doctor.ways import Ways
from tests.unit.workflows.doctor.scenes import (
    GIVEN,
    HANDLER,
    OURS,
    azure,
    event,
    found,
    node,
    only,
    pod,
    report,
    runtime_class,
    terminated,
    view,
    waiting,
)

DIGEST = "sha256:" + "ab" * 32
PULL = 'rpc error: code = NotFound desc = failed to pull and unpack image "r/web:1": '
UNPACKED = (
    f"failed to create containerd container: error unpacking image: parent snapshot {DIGEST} does not exist: not found"
)
DENIED = (
    'failed to pull and unpack image "{0}": failed to resolve reference "{0}": failed to authorize: failed to fetch '
    "anonymous token: unexpected status from GET request to https://{1}/oauth2/token: 401 Unauthorized"
)


@pytest.mark.parametrize(
    ("state", "code", "demand", "command"),
    [
        (waiting("CreateContainerError", UNPACKED), "ImageNotUnpacked", 31, "runtime install"),
        (
            waiting("ErrImagePull", f"{PULL}no match for platform in manifest {DIGEST}: not found"),
            "NoMatchForPlatform",
            37,
            "docker buildx build --platform linux/amd64 --tag r/web:1 --push .",
        ),
        (
            waiting("CreateContainerError", f'failed to get image "r/web:1": content digest {DIGEST}: not found'),
            "ContentMissing",
            38,
            "docker save --platform linux/amd64 --output image.tar r/web:1 && kind load image-archive image.tar",
        ),
        (waiting("ErrImagePull", f"{PULL}r/web:1: not found"), "ImageUnknown", 39, "describe pod web-1"),
        (
            waiting("ErrImagePull", DENIED.format("ghcr.io/web:1", "ghcr.io")),
            "RegistryDenied",
            39,
            "create secret docker-registry",
        ),
        (
            waiting("ErrImagePull", "failed to do request: Head https://r/v2/web: dial tcp: lookup r: no such host"),
            "RegistryUnreachable",
            39,
            "curl -v",
        ),
    ],
)
def test_each_way_in_which_an_image_fails_has_its_name(
    state: dict[str, object], code: str, demand: int, command: str
) -> None:
    told = only(view(node(), pod(status=state), runtime_class()))
    assert (told.code, told.demand, told.node) == (code, demand, "n1")
    assert told.command is not None
    assert command in told.command


def test_the_words_are_in_an_event_once_kubelet_waits_longer() -> None:
    backing_off = pod(status=waiting("ImagePullBackOff", 'Back-off pulling image "r/web:1"'))
    said = event(backing_off, "Failed", f'Failed to pull image "r/web:1": {PULL}no match for platform in manifest')
    assert only(view(node(), backing_off, said, runtime_class())).code == "NoMatchForPlatform"


def test_a_registry_of_azure_lacks_acrpull() -> None:
    image = "hello.azurecr.io/web:1"
    state = waiting("ErrImagePull", DENIED.format(image, "hello.azurecr.io"))
    told = only(view(node(provider=azure()), pod(container={"image": image}, status=state), runtime_class()))
    assert told.demand == 39
    assert "lacks the role AcrPull" in told.message
    assert told.command == "az aks update --resource-group group --name cluster --attach-acr hello"


def test_names_that_nobody_knows_are_in_capitals() -> None:
    state = waiting("ErrImagePull", DENIED.format("hello.azurecr.io/web:1", "hello.azurecr.io"))
    scene = view(node(), pod(container={"image": "hello.azurecr.io/web:1"}, status=state), runtime_class(), ways=Ways())
    assert only(scene).command == "az aks update --resource-group RESOURCE_GROUP --name CLUSTER --attach-acr hello"


def test_what_was_pulled_before_containerd_was_told_to_unpack_is_told_apart() -> None:
    set_up = report("n1", HANDLER, localImagePull=True)
    told = only(view(node(), pod(status=waiting("CreateContainerError", UNPACKED)), runtime_class(), reports=[set_up]))
    assert "was pulled before containerd was told" in told.message
    assert told.command is not None
    assert told.command.endswith("-- chroot /host ctr --namespace=k8s.io images rm r/web:1")


def test_wasm_without_a_runtime_class_is_told_with_a_class_to_take() -> None:
    said = "exec /app.wasm: exec format error"
    plain = pod(
        runtime=None,
        phase="Failed",
        status=terminated(255),
        owner={"kind": "ReplicaSet", "name": "web-55", "uid": "unknown"},
    )
    told = only(view(node(), plain, runtime_class(), logs={"web-1": said}))
    assert (told.code, told.demand) == ("NoRuntimeClass", 28)
    assert told.evidence == f"log of container main: {said}"
    assert told.command is not None
    assert f'"path":"/spec/template/spec/runtimeClassName","value":"{HANDLER}"' in told.command


def test_an_image_for_another_processor_is_told() -> None:
    said = "exec /usr/bin/web: exec format error"
    plain = pod(runtime=HANDLER, phase="Failed", status=terminated(255, message=said))
    told = only(view(node(arch="arm64"), plain, runtime_class(), ways=GIVEN))
    assert (told.code, told.demand) == ("ImageWrongArchitecture", 34)
    assert "another architecture than arm64" in told.message
    assert told.command == "docker buildx build --platform linux/arm64 --tag r/web:1 --push ."


def test_a_pod_of_somebody_else_that_lacks_its_image_is_not_our_business() -> None:
    other = pod(runtime=None, status=waiting("ErrImagePull", "x: not found"))
    assert found(view(node(), other)) == []


def test_our_own_image_comes_again_by_up() -> None:
    labels = {"app.kubernetes.io/managed-by": "aks-wasm", "app.kubernetes.io/name": "web"}
    ours = pod(labels=labels, status=waiting("ErrImagePull", f"{PULL}r/web:1: not found"))
    assert only(view(node(), ours, runtime_class(), ways=OURS)).command == "aks-wasm up -f a.yaml"
