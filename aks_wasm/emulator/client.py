"""A client of the control API: standard library only, no proxies, so that `emulator status` starts quickly."""

from __future__ import annotations

import http.client
import json
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from aks_wasm.errors import ServiceError, Unreachable

TIMEOUT = 60.0  # seconds without a byte; loading an image takes some


@dataclass(frozen=True)
class ControlClient:
    """Requests to `/_emulator` of one running daemon.

    Attributes:
        url: The daemon's front door.
        token: Of the control API.
        ca_file: The emulator's certificate.
        timeout: Seconds without an answer until Unreachable.
    """

    url: str
    token: str = field(repr=False)
    ca_file: Path
    timeout: float = TIMEOUT

    def get(self, path: str) -> Any:
        """Return the answer to GET `/_emulator/<path>`: a JSON document, or the text of anything else."""
        return self.request("GET", path)

    def request(self, method: str, path: str, body: object = None) -> Any:
        """Send a request; return the JSON document, the text, or None for an empty answer.

        Args:
            method: The HTTP method.
            path: What follows `/_emulator/`.
            body: A JSON document, or an open binary file to be streamed.

        Raises:
            Unreachable: Nothing answers there.
            ServiceError: The daemon says no; its words are the message.
        """
        try:
            status, kind, content = self._exchange(method, f"/_emulator/{path}", body)
        except (OSError, http.client.HTTPException) as error:
            raise Unreachable(
                f"the emulator at {self.url} does not answer: {error}", hint="start it with `aks-wasm emulator start`"
            ) from error
        document = json.loads(content) if content and kind == "application/json" else content.decode() or None
        if status >= 400:
            problem = document.get("error", {}) if isinstance(document, dict) else {}
            message = problem.get("message", f"the emulator answered {status} to {method} {path}")
            raise ServiceError(message, code=problem.get("code"), hint=problem.get("hint"))
        return document

    def _exchange(self, method: str, path: str, body: object) -> tuple[int, str, bytes]:
        place = urlsplit(self.url)
        context = ssl.create_default_context(cafile=str(self.ca_file))
        connection = http.client.HTTPSConnection(
            place.hostname or "", place.port, timeout=self.timeout, context=context
        )
        payload: bytes | IO[bytes] | None = None
        if body is not None:
            payload = body if hasattr(body, "read") else json.dumps(body).encode()  # type: ignore[assignment]
        try:
            connection.request(method, path, payload, {"Authorization": f"Bearer {self.token}"})
            response = connection.getresponse()
            return response.status, response.headers.get_content_type(), response.read()
        finally:
            connection.close()
