"""Errors as the service words them: wrapped by Resource Manager's front door, flat from the AKS provider."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class ArmError(Exception):
    """An answer with status >= 400.

    Attributes:
        status: The HTTP status.
        code: ARM's word for it.
        message: The text, as recorded where a recording exists.
        headers: Response headers that go with it.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        extra: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = dict(headers or {})
        self._extra = dict(extra or {})

    def body(self) -> dict[str, Any]:
        """Return the JSON body: wrapped, as Resource Manager's own answers are."""
        return {"error": self.detail()}

    def detail(self) -> dict[str, Any]:
        """Return what an operation document carries as its error."""
        return {"code": self.code, "message": self.message, **self._extra}


class GatewayError(ArmError):
    """The front door said no: `{"error": {...}}`, and a header that says who it was."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        extra: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(
            status, code, message, extra=extra, headers={"x-ms-failure-cause": "gateway", **(headers or {})}
        )


class ProviderError(ArmError):
    """The AKS resource provider said no: a flat body, members in the recorded order."""

    def body(self) -> dict[str, Any]:
        """Return the flat body."""
        extra = {"details": None, "subcode": "", **self._extra}
        body = {"code": self.code, "details": extra.pop("details"), "message": self.message}
        return {**body, "subcode": extra.pop("subcode"), **extra}


def not_emulated(method: str, path: str) -> GatewayError:
    """Return the answer to a request this emulator knows nothing of; it is not Azure's own text."""
    message = f"`{method} {path}` is not emulated yet by the aks-wasm emulator."
    return GatewayError(404, "NotEmulatedYet", message)


def invalid_parameter(parameter: str, details: str) -> ProviderError:
    """Return AKS's 400 for one parameter (the form is Azure/AKS#3300's)."""
    message = f"The value of parameter {parameter} is invalid. {details}"
    return ProviderError(400, "InvalidParameter", message, extra={"target": parameter})


def bad_request(message: str) -> ProviderError:
    """Return AKS's plain 400."""
    return ProviderError(400, "BadRequest", message)
