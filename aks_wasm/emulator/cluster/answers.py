"""HTTP answers: JSON documents in the form a client asked for (plain, Table, metadata only), and Statuses."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from aiohttp import web

from aks_wasm.emulator.cluster.statuses import ApiFailure, NotAcceptable

Form = Literal["plain", "Table", "PartialObjectMetadata", "PartialObjectMetadataList"]
_FORMS: Mapping[str, Form] = {
    "Table": "Table",
    "PartialObjectMetadata": "PartialObjectMetadata",
    "PartialObjectMetadataList": "PartialObjectMetadataList",
}
_SENT = ("application/json", "application/yaml", "application/vnd.kubernetes.protobuf")


def wanted_form(request: web.Request) -> Form:
    """Return the first form of the Accept header that can be given.

    Raises:
        NotAcceptable: There is none.
    """
    accept = request.headers.get("Accept") or "*/*"
    for part in accept.split(","):
        media, *parameters = (piece.strip() for piece in part.split(";"))
        if media not in {"application/json", "application/*", "*/*"}:
            continue
        told = dict(piece.partition("=")[::2] for piece in parameters)
        if "as" not in told:
            return "plain"
        if told["as"] in _FORMS and told.get("g") == "meta.k8s.io" and told.get("v") == "v1":
            return _FORMS[told["as"]]
    raise NotAcceptable(_SENT)


def document(content: Any, status: int = 200, warnings: Iterable[str] = ()) -> web.Response:
    """Return a JSON document with the headers of an API server."""
    response = web.Response(
        body=json.dumps(content, separators=(",", ":"), ensure_ascii=False).encode() + b"\n",
        status=status,
        content_type="application/json",
        headers=standard_headers(),
    )
    for warning in dict.fromkeys(warnings):
        response.headers.add("Warning", f'299 - "{_quoted(warning)}"')
    return response


def failure(error: ApiFailure) -> web.Response:
    """Return the Status a refused request is answered with."""
    response = document(error.to_status(), error.code)
    if error.code == 429:
        response.headers["Retry-After"] = "10"
    return response


def standard_headers() -> dict[str, str]:
    """Return the headers every answer has."""
    return {"Audit-Id": str(uuid.uuid4()), "Cache-Control": "no-cache, private"}


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")
