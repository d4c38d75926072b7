"""Operation URLs: more than 3 kB of certificate, signature and hash, good only as they were given out."""

from __future__ import annotations

import base64
import hashlib
import secrets
from datetime import UTC, datetime
from urllib.parse import parse_qs

from aks_wasm.emulator.arm.errors import GatewayError
from aks_wasm.emulator.identity import Principal
from aks_wasm.emulator.state import Documents

_CERTIFICATE_HEADER = b"\x30\x82\x07\xf0"  # a DER sequence of 2032 bytes: base64 begins MIIH8, as recorded
_CERTIFICATE_BYTES = 2032
_SIGNATURE_BYTES = 256  # 342 characters
_HASH_BYTES = 32  # 43 characters
_DOTNET_EPOCH = datetime(1, 1, 1, tzinfo=UTC)


class UrlSigner:
    """Signs the path, the version, the moment and the caller; its key lives in the emulator's state."""

    def __init__(self, documents: Documents) -> None:
        kept = documents.get("arm", "signing")
        if kept is None:
            kept = {"key": secrets.token_hex(32)}
            documents.put("arm", "signing", kept)
        self._key = bytes.fromhex(kept["key"])

    def query(self, path: str, api_version: str, caller: Principal) -> str:
        """Return the query that makes the path a valid operation URL for the caller."""
        passed = datetime.now(UTC) - _DOTNET_EPOCH
        ticks = (passed.days * 86400 + passed.seconds) * 10_000_000 + passed.microseconds * 10
        return self._query(path, api_version, str(ticks), caller)

    def check(self, path: str, raw_query: str, caller: Principal) -> None:
        """Refuse a URL that is not byte for byte the one given to this caller.

        Raises:
            GatewayError: 403; the text is the service's (azure-docs#119301), its code has not been seen.
        """
        asked = parse_qs(raw_query)
        version, ticks = (asked.get(name, [""])[0] for name in ("api-version", "t"))
        if secrets.compare_digest(raw_query, self._query(path, version, ticks, caller)):
            return
        message = (
            "Only the original caller of an asynchronous operation is allowed to retrieve the results. The content "
            "hash provided in the query params of the request uri does not match the expected hash"
        )
        raise GatewayError(403, "Forbidden", message)

    def _query(self, path: str, api_version: str, ticks: str, caller: Principal) -> str:
        asked = f"{path.lower()}?{api_version}&{ticks}&{caller.object_id}"
        certificate = _CERTIFICATE_HEADER + self._bytes("certificate", _CERTIFICATE_BYTES)
        signature, content = self._bytes(asked, _SIGNATURE_BYTES), self._bytes(caller.object_id, _HASH_BYTES)
        c, s, h = (_base64url(part) for part in (certificate, signature, content))
        return f"api-version={api_version}&t={ticks}&c={c}&s={s}&h={h}"

    def _bytes(self, text: str, count: int) -> bytes:
        return hashlib.shake_256(self._key + text.encode()).digest(count)


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
