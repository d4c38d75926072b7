"""What all answers have in common: headers, indented JSON, pages with a link to the next."""

from __future__ import annotations

import base64
import binascii
import itertools
import json
import uuid
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote, urlencode

from aiohttp import web

from aks_wasm.emulator.arm.context import Arm
from aks_wasm.emulator.arm.errors import ArmError, GatewayError
from aks_wasm.emulator.arm.names import now
from aks_wasm.emulator.arm.routing import Call, Reply

PAGE_SIZE = 5  # small, so that whoever forgets nextLink finds out here
_RATES = {
    "GET": ("global-reads", 16499, "reads", 1099),
    "HEAD": ("global-reads", 16499, "reads", 1099),
    "DELETE": ("global-deletes", 12000, "deletes", 800),
}
_WRITE_RATES = ("global-writes", 12000, "writes", 800)
_spent = itertools.count()


def rendered(reply: Reply, call_method: str) -> web.Response:
    """Make the HTTP response of a reply."""
    return _response(call_method, reply.status, reply.body, dict(reply.headers))


def rendered_error(error: ArmError, call_method: str) -> web.Response:
    """Make the HTTP response of an error."""
    return _response(call_method, error.status, error.body(), error.headers)


def page(arm: Arm, call: Call, items: Sequence[Any], *, size: int = PAGE_SIZE) -> Reply:
    """Answer one page of a list, with a nextLink when there is more."""
    start = _offset(call.query.get("$skiptoken"))
    body: dict[str, Any] = {"value": list(items[start : start + size])}
    if start + size < len(items):
        token = base64.urlsafe_b64encode(json.dumps({"next": start + size}).encode()).decode()
        kept = {name: value for name, value in call.query.items() if name != "$skiptoken"}
        body["nextLink"] = f"{arm.base_url}{quote(call.path)}?{urlencode({**kept, '$skiptoken': token})}"
    return Reply(body=body)


def _offset(token: str | None) -> int:
    if token is None:
        return 0
    try:
        return int(json.loads(base64.urlsafe_b64decode(token))["next"])
    except (binascii.Error, ValueError, KeyError, TypeError) as error:
        message = "The provided $skiptoken is not valid."
        raise GatewayError(400, "InvalidSkipToken", message) from error


def _response(method: str, status: int, body: Any, headers: dict[str, str]) -> web.Response:
    request_id = str(uuid.uuid4())
    everywhere = {
        "cache-control": "no-cache",
        "pragma": "no-cache",
        "expires": "-1",
        "strict-transport-security": "max-age=31536000; includeSubDomains",
        "x-content-type-options": "nosniff",
        "x-cache": "CONFIG_NOCACHE",
        "x-msedge-ref": f"Ref A: {uuid.uuid4().hex.upper()} Ref B: EMULATOR Ref C: {now():%Y-%m-%dT%H:%M:%SZ}",
        "x-ms-request-id": request_id,
        "x-ms-correlation-request-id": request_id,
        "x-ms-routing-request-id": f"EMULATOR:{now():%Y%m%dT%H%M%SZ}:{request_id}",
        **_rate_headers(method),
    }
    text = None if body is None or method == "HEAD" else json.dumps(body, indent=1, ensure_ascii=False)
    return web.Response(
        status=status,
        text=text,
        headers={**everywhere, **headers},
        content_type="application/json" if text is not None else None,
    )


def _rate_headers(method: str) -> dict[str, str]:
    broad, broad_limit, narrow, narrow_limit = _RATES.get(method, _WRITE_RATES)
    spent = next(_spent)
    prefix = "x-ms-ratelimit-remaining-subscription"
    return {
        f"{prefix}-{broad}": str(broad_limit - spent % broad_limit),
        f"{prefix}-{narrow}": str(narrow_limit - spent % narrow_limit),
    }
