"""Subresources that are more than a part of their object: log, scale, eviction, binding, token, finalize, exec."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

from aiohttp import web

from aks_wasm.emulator.cluster import answers, scaling
from aks_wasm.emulator.cluster.calls import Call, Handler
from aks_wasm.emulator.cluster.causes import invalid
from aks_wasm.emulator.cluster.context import ApiContext
from aks_wasm.emulator.cluster.decoding import decoded
from aks_wasm.emulator.cluster.logs import LogQuery, LogUnavailable
from aks_wasm.emulator.cluster.options import DeleteOptions
from aks_wasm.emulator.cluster.reading import shown
from aks_wasm.emulator.cluster.schemas import built_in
from aks_wasm.emulator.cluster.selectors import selects
from aks_wasm.emulator.cluster.service_accounts import DEFAULT_SECONDS
from aks_wasm.emulator.cluster.statuses import BadRequest, Conflict, Invalid, NotFound, NotOffered, TooManyRequests
from aks_wasm.emulator.cluster.trees import Tree, dig, now

_SHORTEST_TOKEN_SECONDS = 600
# How long a log may stay silent before its headers are sent; an error after that can only cut the stream.
_FIRST_BYTES_SECONDS = 1.0


def _found(context: ApiContext, call: Call) -> Tree:
    obj = context.store.get(call.kind.stored_as, call.name, call.namespace)
    if obj is None:
        raise NotFound(call.kind.plural, call.name)
    return obj


async def log(context: ApiContext, call: Call) -> web.StreamResponse:
    """Answer `kubectl logs`.

    Raises:
        NotFound: There is no such pod.
        BadRequest: It has several containers or not that one, or there is no log.
        Invalid: An option can't be.
    """
    pod = _found(context, call)
    container = _container(pod, call.text("container"))
    query = LogQuery(
        follow=call.flag("follow"),
        previous=call.flag("previous"),
        tail_lines=_tail_lines(call),
        since_seconds=_since(call),
        timestamps=call.flag("timestamps"),
        limit_bytes=call.number("limitBytes"),
    )
    if not dig(pod, "spec", "nodeName"):
        return web.Response(status=204, headers=answers.standard_headers())
    response = web.StreamResponse(headers=answers.standard_headers())
    response.content_type = "text/plain"
    try:
        lines = context.logs.open_log(call.namespace or "", call.name, container, query)
        await _stream(call, response, lines)
    except LogUnavailable as error:
        raise BadRequest(str(error)) from error
    return response


def _tail_lines(call: Call) -> int | None:
    asked = call.number("tailLines")
    if asked is not None and asked < 0:
        raise Invalid("PodLogOptions", call.name, [invalid("tailLines", asked, "must be greater than or equal to 0")])
    return asked


def _since(call: Call) -> int | None:
    if moment := call.text("sinceTime"):
        try:
            since = datetime.fromisoformat(moment)
        except ValueError as error:
            raise BadRequest(f'parsing time "{moment}" as "2006-01-02T15:04:05Z07:00"') from error
        return max(1, int((datetime.now(UTC) - since).total_seconds()))
    return call.number("sinceSeconds")


async def _stream(call: Call, response: web.StreamResponse, lines: AsyncIterator[bytes]) -> None:
    first = asyncio.ensure_future(anext(lines, None))
    try:
        await asyncio.wait({first}, timeout=_FIRST_BYTES_SECONDS)
        if first.done():
            first.result()
        await response.prepare(call.request)
        chunk = await first
        while chunk is not None:
            await response.write(chunk)
            chunk = await anext(lines, None)
        await response.write_eof()
    except ConnectionResetError:
        pass
    finally:
        first.cancel()


def _container(pod: Tree, asked: str) -> str:
    spec = pod["spec"]
    own = [container["name"] for container in spec.get("containers") or ()]
    starting = [container["name"] for container in spec.get("initContainers") or ()]
    name = pod["metadata"]["name"]
    if not asked:
        if len(own) == 1 and not starting:
            return str(own[0])
        default = (pod["metadata"].get("annotations") or {}).get("kubectl.kubernetes.io/default-container")
        if default in own:
            return str(default)
        told = f"a container name must be specified for pod {name}, choose one of: [{' '.join(own)}]"
        raise BadRequest(f"{told} or one of the init containers: [{' '.join(starting)}]" if starting else told)
    if asked not in (*own, *starting):
        raise BadRequest(f"container {asked} is not valid for pod {name}")
    return asked


async def evict(context: ApiContext, call: Call) -> web.Response:
    """Answer an eviction: a delete that disruption budgets may forbid.

    Raises:
        NotFound: There is no such pod.
        TooManyRequests: A budget allows no disruption now.
    """
    pod = _found(context, call)
    body = await call.body()
    for budget in context.store.view("poddisruptionbudgets.policy", call.namespace):
        _check_budget(budget, pod)
    options = DeleteOptions.of(call, body.get("deleteOptions") or {})
    if not options.dry_run:
        context.store.delete("pods", call.name, call.namespace, grace_seconds=options.grace_seconds)
    return answers.document(
        {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}, 201
    )


def _check_budget(budget: Tree, pod: Tree) -> None:
    if not selects(dig(budget, "spec", "selector"), pod["metadata"].get("labels")):
        return
    status = budget.get("status") or {}
    if status.get("disruptionsAllowed", 0) > 0:
        return
    name, healthy = budget["metadata"]["name"], status.get("currentHealthy", 0)
    told = (
        f"The disruption budget {name} needs {status.get('desiredHealthy', 0)} healthy pods and has {healthy} currently"
    )
    raise TooManyRequests(
        "Cannot evict pod as it would violate the pod's disruption budget.",
        details={"causes": [{"reason": "DisruptionBudget", "message": told}]},
    )


async def bind(context: ApiContext, call: Call) -> web.Response:
    """Answer a scheduler's binding of a pod to a node.

    Raises:
        NotFound: There is no such pod.
        Conflict: It has a node already.
    """
    pod = _found(context, call)
    body = await call.body()
    node = dig(body, "target", "name")
    if not node:
        raise BadRequest("target.name is required")
    if dig(pod, "spec", "nodeName"):
        why = f'pod {call.name} is already assigned to node "{pod["spec"]["nodeName"]}"'
        raise Conflict("pods/binding", call.name, why)

    def assign(obj: Tree) -> None:
        obj["spec"]["nodeName"] = node
        conditions = obj.setdefault("status", {}).setdefault("conditions", [])
        conditions[:] = [one for one in conditions if one.get("type") != "PodScheduled"]
        conditions.append({"type": "PodScheduled", "status": "True", "lastTransitionTime": now()})

    context.store.mutate("pods", call.name, call.namespace, assign)
    return answers.document(
        {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}, 201
    )


async def token(context: ApiContext, call: Call) -> web.Response:
    """Answer a TokenRequest of a service account.

    Raises:
        NotFound: There is no such account.
        Invalid: The token would live too short.
    """
    account = _found(context, call)
    request = decoded(built_in("authentication.v1.TokenRequest"), await call.body()).obj
    spec = request.setdefault("spec", {})
    seconds = spec.setdefault("expirationSeconds", DEFAULT_SECONDS)
    if seconds < _SHORTEST_TOKEN_SECONDS:
        causes = [invalid("spec.expirationSeconds", seconds, "may not specify a duration less than 10 minutes")]
        raise Invalid("TokenRequest", "", causes, group="authentication.k8s.io")
    issued = context.issuer.issue(account, seconds=seconds, audiences=spec.get("audiences") or [])
    expires = datetime.now(UTC) + timedelta(seconds=seconds)
    status = {"token": issued, "expirationTimestamp": expires.strftime("%Y-%m-%dT%H:%M:%SZ")}
    meta = {"name": call.name, "namespace": call.namespace, "creationTimestamp": now()}
    document = {"kind": "TokenRequest", "apiVersion": "authentication.k8s.io/v1", "metadata": meta, "spec": spec}
    return answers.document(document | {"status": status}, 201)


async def finalize(context: ApiContext, call: Call) -> web.Response:
    """Answer a PUT of namespaces/finalize: only spec.finalizers is taken."""
    old = _found(context, call)
    body = await call.body()
    old["spec"]["finalizers"] = dig(body, "spec", "finalizers") or []
    return shown(call, context.store.replace("namespaces", old))


async def not_offered(context: ApiContext, call: Call) -> web.Response:
    """Refuse what needs a process inside the container.

    Raises:
        NotOffered: Always, once the pod is known to be there.
    """
    _found(context, call)
    raise NotOffered(
        f"the emulator does not offer {call.subresource}; containers of WebAssembly have no shell to enter"
    )


HANDLERS: dict[tuple[str, str], Handler] = {
    ("pods", "log"): log,
    ("pods", "eviction"): evict,
    ("pods", "binding"): bind,
    ("serviceaccounts", "token"): token,
    ("namespaces", "finalize"): finalize,
    ("*", "scale"): scaling.scale,
    **{
        ("pods", name): not_offered
        for name in ("exec", "attach", "portforward", "proxy", "ephemeralcontainers", "resize")
    },
}
