"""Getting a container's image onto the node, with the states and events of the kubelet's image manager."""

from __future__ import annotations

import time
from typing import Any

from aks_wasm.emulator.node.images import Image, ImageError
from aks_wasm.emulator.node.node_context import NodeContext
from aks_wasm.emulator.node.pod_status import Pod, set_waiting
from aks_wasm.emulator.node.pull_secrets import pull_credentials
from aks_wasm.emulator.node.references import parse_reference

_FIRST_BACK_OFF = 10.0  # seconds; kubelet's image back-off, doubling
_LONGEST_BACK_OFF = 300.0
_UNTIL_BACK_OFF_SHOWS = 2.0  # seconds between ErrImagePull and ImagePullBackOff: the next sync of the pod


def pull_policy(container: dict[str, Any]) -> str:
    """Return imagePullPolicy, by its default where it is not written: Always for `latest`."""
    if container.get("imagePullPolicy"):
        return str(container["imagePullPolicy"])
    reference = parse_reference(container.get("image", ""))
    return "Always" if reference is not None and reference.tag == "latest" else "IfNotPresent"


async def obtain_image(context: NodeContext, pod: Pod, container: dict[str, Any], platform: str) -> Image:
    """Return the container's image; goes on trying, with kubelet's back-off, until it can be had."""
    delay = _FIRST_BACK_OFF
    while True:
        try:
            return await _try(context, pod, container, platform)
        except ImageError as error:
            failure = error
        _say(context, pod, container, failure)
        if failure.reason == "ErrImagePull":
            await context.back_off(_UNTIL_BACK_OFF_SHOWS)
            _say_back_off(context, pod, container, failure)
        await context.back_off(delay)
        delay = min(delay * 2, _LONGEST_BACK_OFF)


async def _try(context: NodeContext, pod: Pod, container: dict[str, Any], platform: str) -> Image:
    reference, policy, name = container["image"], pull_policy(container), container["name"]
    present = context.images.has(reference, platform)
    if policy == "Never" and not present:
        message = f'Container image "{reference}" is not present with pull policy of Never'
        raise ImageError("ErrImageNeverPull", message)
    if present and policy != "Always":
        image = await context.images.resolve(reference, platform)
        message = f'Container image "{reference}" already present on machine'
        context.event(pod, "Pulled", message, container=name)
        return image
    if parse_reference(reference) is not None:
        context.event(pod, "Pulling", f'Pulling image "{reference}"', container=name)
    begin = time.monotonic()
    logins = pull_credentials(context.store, pod)
    image = await context.images.resolve(reference, platform, pull_always=policy == "Always", logins=logins)
    took = f"{max(time.monotonic() - begin, 0.001):.3g}s"
    message = (
        f'Successfully pulled image "{reference}" in {took} ({took} including waiting). Image size: {image.size} bytes.'
    )
    context.event(pod, "Pulled", message, container=name)
    return image


def _say(context: NodeContext, pod: Pod, container: dict[str, Any], error: ImageError) -> None:
    name, reason = container["name"], error.reason
    message = error.message
    if reason == "ErrImagePull":
        message = f'Failed to pull image "{container["image"]}": {error.message}'
    kind = {"ErrImagePull": "Failed", "InvalidImageName": "InspectFailed"}.get(reason, reason)
    context.event(pod, kind, message, container=name, warning=True)
    context.event(pod, "Failed", f"Error: {reason}", container=name, warning=True)
    context.update_container(pod, name, lambda entry: set_waiting(entry, reason, error.message))


def _say_back_off(context: NodeContext, pod: Pod, container: dict[str, Any], error: ImageError) -> None:
    name = container["name"]
    message = f'Back-off pulling image "{container["image"]}"'
    context.event(pod, "BackOff", message, container=name)
    context.event(pod, "Failed", "Error: ImagePullBackOff", container=name, warning=True)
    full = f"{message}: ErrImagePull: {error.message}"
    context.update_container(pod, name, lambda entry: set_waiting(entry, "ImagePullBackOff", full))
