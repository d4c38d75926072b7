"""The client of a cluster's API: plain dicts in and out, server-side apply, one connection pool for all threads."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import urllib3
from kubernetes.client import ApiClient
from kubernetes.client.exceptions import ApiException

from aks_wasm.errors import ServiceError
from aks_wasm.kube.connection import open_connection
from aks_wasm.kube.errors import NOT_FOUND, from_status, unreachable
from aks_wasm.kube.kinds import KINDS
from aks_wasm.kube.matching import stamped

FIELD_MANAGER = "aks-wasm"
_PAGE = 500  # objects a page, as kubectl takes them
_CONNECT_SECONDS = 10.0
_READ_SECONDS = 60.0  # the API server's own limit for requests that are no watch

_JSON = "application/json"
_APPLY_PATCH = "application/apply-patch+yaml"
_MERGE_PATCH = "application/merge-patch+json"

_TOO_OLD = ("KubernetesExpired", "KubernetesGone")  # what a page that was waited for too long is answered, with 410

Manifest = dict[str, Any]
Items = list[Manifest]


@dataclass(frozen=True)
class _Call:
    """One request. `doing` completes the sentence "cannot ..."."""

    method: str
    path: str
    doing: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: object = None
    content_type: str = _JSON
    absent_is_fine: bool = False
    read_seconds: float | None = _READ_SECONDS


class KubeClient:
    """A cluster's API. Safe to use from several threads; raises only AksWasmError.

    Absent objects are None or False, not errors.
    """

    def __init__(self, api: ApiClient) -> None:
        """Use an opened connection; `from_kubeconfig` opens one."""
        self._api = api
        self._host = str(api.configuration.host)
        self._credentials = threading.Lock()

    @classmethod
    def from_kubeconfig(cls, text: str) -> KubeClient:
        """Open a client with a kubeconfig (YAML) and its current context.

        Raises:
            NotSignedIn: The text is no kubeconfig, or its credentials cannot be had.
        """
        return cls(open_connection(text))

    def close(self) -> None:
        """Close all connections."""
        pools = self._api.rest_client.pool_manager.pools
        for key in pools.keys():  # noqa: SIM118 - urllib3's container refuses to be iterated
            pools[key].close()  # clearing alone leaves it to the garbage collector, and an error's traceback holds on
        self._api.close()

    def version(self) -> str:
        """Return the API server's version, for example `v1.35.5`."""
        return str(self._json(_Call("GET", "/version", "ask for the version"))["gitVersion"])

    def get(self, kind: str, name: str, namespace: str | None = None) -> Manifest | None:
        """Return an object, or None.

        Args:
            kind: As in manifests, for example `Deployment`.
            name: The object's name.
            namespace: Its namespace; None for kinds without.
        """
        path = KINDS[kind].path(namespace, name)
        return self._json(_Call("GET", path, f"read {kind} `{name}`", absent_is_fine=True)) or None

    def list(
        self,
        kind: str,
        *,
        namespace: str | None = None,
        labels: str | None = None,
        fields: str | None = None,
    ) -> list[Manifest]:
        """Return all objects of a kind, page by page.

        Args:
            kind: As in manifests.
            namespace: None for all namespaces.
            labels: A label selector.
            fields: A field selector.
        """
        query = {"labelSelector": labels, "fieldSelector": fields}
        given = {key: value for key, value in query.items() if value}
        path, doing = KINDS[kind].path(namespace), f"list {kind}s"
        try:
            items = self._pages(path, doing, given | {"limit": str(_PAGE)})
        except ServiceError as error:
            if error.code not in _TOO_OLD:
                raise
            items = self._pages(path, doing, given)  # as client-go does: the whole list at once can't grow old
        # Items of a list come without these two; manifests that are compared carry them.
        head = {"apiVersion": KINDS[kind].api_version, "kind": kind}
        return [head | item for item in items]

    def _pages(self, path: str, doing: str, query: dict[str, str]) -> Items:
        items: list[Manifest] = []
        while True:
            page = self._json(_Call("GET", path, doing, query))
            items += page.get("items") or ()
            token = page.get("metadata", {}).get("continue")
            if not token:
                return items
            query = query | {"continue": token}

    def apply(self, manifest: Mapping[str, Any], *, dry_run: bool = False, version: str | None = None) -> Manifest:
        """Create the object or bring it to what the manifest says, by server-side apply; return it.

        Fields that other managers own and the manifest names are taken over.

        Args:
            manifest: What to apply.
            dry_run: Have it admitted and not stored.
            version: The resourceVersion that it must still have, an empty one when it must not be there yet; else the
                error's code is `KubernetesConflict` or `KubernetesAlreadyExists`.
        """
        name = manifest["metadata"]["name"]
        path = KINDS[manifest["kind"]].path(manifest["metadata"].get("namespace"), name)
        query = {"fieldManager": FIELD_MANAGER} | ({"dryRun": "All"} if dry_run else {})
        body, doing = stamped(manifest), f"apply {manifest['kind']} `{name}`"
        if version == "":
            return self._json(_Call("POST", path.rpartition("/")[0], doing, query, body))
        if version is not None:
            body["metadata"]["resourceVersion"] = version
        return self._json(_Call("PATCH", path, doing, query | {"force": "true"}, body, _APPLY_PATCH))

    def merge(
        self, kind: str, name: str, change: Mapping[str, Any], namespace: str | None = None, *, doing: str = "change"
    ) -> None:
        """Change some fields of an object by a JSON merge patch (RFC 7386); None removes a field.

        Args:
            kind: As in manifests.
            name: The object's name.
            change: The fields, as in a manifest.
            namespace: Its namespace.
            doing: The verb for errors.
        """
        self._json(
            _Call(
                "PATCH",
                KINDS[kind].path(namespace, name),
                query={"fieldManager": FIELD_MANAGER},
                body=dict(change),
                content_type=_MERGE_PATCH,
                doing=f"{doing} {kind} `{name}`",
            )
        )

    def annotate(
        self, kind: str, name: str, annotations: Mapping[str, str | None], namespace: str | None = None
    ) -> None:
        """Set annotations; None removes one."""
        change = {"metadata": {"annotations": dict(annotations)}}
        self.merge(kind, name, change, namespace, doing="annotate")

    def label(self, kind: str, name: str, labels: Mapping[str, str | None], namespace: str | None = None) -> None:
        """Set labels; None removes one."""
        self.merge(kind, name, {"metadata": {"labels": dict(labels)}}, namespace, doing="label")

    def delete(self, kind: str, name: str, namespace: str | None = None, *, propagation: str = "Background") -> bool:
        """Delete an object; return False when there was none.

        Args:
            kind: As in manifests.
            name: The object's name.
            namespace: Its namespace.
            propagation: `Background`, `Foreground` or `Orphan`: what becomes of what it owns.
        """
        answer = self._json(
            _Call(
                "DELETE",
                KINDS[kind].path(namespace, name),
                query={"propagationPolicy": propagation},
                doing=f"delete {kind} `{name}`",
                absent_is_fine=True,
            )
        )
        return bool(answer)

    def scale(self, kind: str, name: str, namespace: str, replicas: int) -> None:
        """Set the number of replicas."""
        self._json(
            _Call(
                "PATCH",
                f"{KINDS[kind].path(namespace, name)}/scale",
                query={"fieldManager": FIELD_MANAGER},
                body={"spec": {"replicas": replicas}},
                content_type=_MERGE_PATCH,
                doing=f"scale {kind} `{name}`",
            )
        )

    def logs(
        self,
        namespace: str,
        pod: str,
        container: str | None = None,
        *,
        follow: bool = False,
        tail: int | None = None,
        previous: bool = False,
    ) -> Iterator[str]:
        """Yield a container's log, line by line, without line ends.

        Args:
            namespace: The pod's namespace.
            pod: The pod's name.
            container: None when the pod has one.
            follow: Go on until the container ends.
            tail: Only the last lines.
            previous: Of the container before the last restart.
        """
        chosen = {
            "container": container,
            "follow": "true" if follow else None,
            "tailLines": None if tail is None else str(tail),
            "previous": "true" if previous else None,
        }
        query = {key: value for key, value in chosen.items() if value is not None}
        doing = f"read the log of pod `{pod}`"
        path = f"{KINDS['Pod'].path(namespace, pod)}/log"
        read_seconds = None if follow else _READ_SECONDS
        response = self._send(_Call("GET", path, doing, query, read_seconds=read_seconds))
        yield from _lines(response, self._host, doing)

    def _json(self, call: _Call) -> Manifest:
        """Send a request and return the document; {} for what is absent when that is fine."""
        response = self._send(call)
        try:
            data = response.data
        except urllib3.exceptions.HTTPError as error:
            raise unreachable(self._host, error, doing=call.doing) from error
        if response.status == NOT_FOUND:
            return {}
        document: Manifest = json.loads(data)
        return document

    def _send(self, call: _Call) -> urllib3.BaseHTTPResponse:
        headers = {"Accept": "*/*" if call.path.endswith("/log") else _JSON}
        if call.body is not None:
            headers["Content-Type"] = call.content_type
        url = self._host + call.path + (f"?{urlencode(call.query)}" if call.query else "")
        headers.update(self._api.default_headers)
        timeout = (_CONNECT_SECONDS, call.read_seconds)
        try:
            with self._credentials:  # a token that ran out is fetched anew here, once for all threads
                self._api.update_params_for_auth(headers, [], ["BearerToken"], call.path, call.method, call.body)
            answer = self._api.call_api(call.method, url, headers, call.body, _request_timeout=timeout)
        except (ApiException, urllib3.exceptions.HTTPError, OSError) as error:
            raise unreachable(self._host, error, doing=call.doing) from error
        response: urllib3.BaseHTTPResponse = answer.response
        if response.status >= 300 and not (call.absent_is_fine and response.status == NOT_FOUND):
            raise from_status(response.status, response.data, doing=call.doing)
        return response


def _lines(response: urllib3.BaseHTTPResponse, host: str, doing: str) -> Iterator[str]:
    rest = b""
    try:
        for piece in response.stream(amt=None, decode_content=True):
            *lines, rest = (rest + piece).split(b"\n")
            for line in lines:
                yield line.decode("utf-8", "replace")
        response.release_conn()  # read to its end: the next request may use the connection
        if rest:
            yield rest.decode("utf-8", "replace")
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise unreachable(host, error, doing=doing) from error
    finally:
        response.close()  # of no effect once released; else whoever reads has stopped half-way
