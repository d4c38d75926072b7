"""Every way the API server says no, as the v1.Status document that real clients read.

Texts and reasons are those of k8s.io/apimachinery/pkg/api/errors.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from aks_wasm.emulator.cluster.causes import Cause


class ApiFailure(Exception):
    """A request the API server refuses.

    Attributes:
        code: The HTTP status.
        reason: The machine-readable word, `""` for what Go calls unknown.
        message: The sentence kubectl shows.
        details: `status.details`, or None.
    """

    default_code: ClassVar[int] = 500
    default_reason: ClassVar[str] = "InternalError"

    def __init__(self, message: str, *, details: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.code = self.default_code
        self.reason = self.default_reason
        self.message = message
        self.details = details

    def to_status(self) -> dict[str, Any]:
        """Return the v1.Status document."""
        status: dict[str, Any] = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
        }
        if self.reason:
            status["reason"] = self.reason
        if self.details:
            status["details"] = self.details
        status["code"] = self.code
        return status


def _details(plural: str, name: str = "", causes: Sequence[Cause] = ()) -> dict[str, Any]:
    resource, _, group = plural.partition(".")
    details: dict[str, Any] = {}
    if name:
        details["name"] = name
    if group:
        details["group"] = group
    if resource:
        details["kind"] = resource
    if causes:
        details["causes"] = [cause.to_dict() for cause in causes]
    return details


class NotFound(ApiFailure):
    """The object is not there."""

    default_code = 404
    default_reason = "NotFound"

    def __init__(self, plural: str, name: str) -> None:
        super().__init__(f'{plural} "{name}" not found', details=_details(plural, name))


class UnknownPath(ApiFailure):
    """No such resource or subresource is served."""

    default_code = 404
    default_reason = "NotFound"

    def __init__(self) -> None:
        super().__init__("the server could not find the requested resource", details={})


class AlreadyExists(ApiFailure):
    """An object of that name is there already."""

    default_code = 409
    default_reason = "AlreadyExists"

    def __init__(self, plural: str, name: str) -> None:
        super().__init__(f'{plural} "{name}" already exists', details=_details(plural, name))


MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"


class Conflict(ApiFailure):
    """The object is no longer what the writer saw, or a precondition does not hold."""

    default_code = 409
    default_reason = "Conflict"

    def __init__(self, plural: str, name: str, why: str = MODIFIED) -> None:
        message = f'Operation cannot be fulfilled on {plural} "{name}": {why}'
        super().__init__(message, details=_details(plural, name))


class ApplyConflict(ApiFailure):
    """Server-side apply met fields that others own."""

    default_code = 409
    default_reason = "Conflict"

    def __init__(self, message: str, causes: Sequence[dict[str, str]]) -> None:
        super().__init__(message, details={"causes": list(causes)})


class Rejected(ApiFailure):
    """Admission or authorization forbids the request."""

    default_code = 403
    default_reason = "Forbidden"

    def __init__(self, plural: str, name: str, why: str, causes: Sequence[Cause] = ()) -> None:
        message = f'{plural} "{name}" is forbidden: {why}' if name else f"{plural} is forbidden: {why}"
        super().__init__(message, details=_details(plural, name, causes))


class PathForbidden(ApiFailure):
    """A path outside the resources that this user may not see."""

    default_code = 403
    default_reason = "Forbidden"

    def __init__(self, user: str, verb: str, path: str) -> None:
        super().__init__(f'forbidden: User "{user}" cannot {verb} path "{path}"', details={})


class Unauthorized(ApiFailure):
    """Nobody knows who is asking."""

    default_code = 401
    default_reason = "Unauthorized"

    def __init__(self) -> None:
        super().__init__("Unauthorized")


class BadRequest(ApiFailure):
    """The request can't be understood."""

    default_code = 400
    default_reason = "BadRequest"


class Invalid(ApiFailure):
    """The object says something that can't be."""

    default_code = 422
    default_reason = "Invalid"

    def __init__(self, kind: str, name: str, causes: Sequence[Cause], *, group: str = "") -> None:
        listed = [f"{cause.field}: {cause.text}" for cause in causes]
        told = listed[0] if len(listed) == 1 else f"[{', '.join(listed)}]"
        qualified = f"{kind}.{group}" if group else kind
        details: dict[str, Any] = {"name": name, "group": group, "kind": kind}
        details = {key: value for key, value in details.items() if value}
        details["causes"] = [cause.to_dict() for cause in causes]
        super().__init__(f'{qualified} "{name}" is invalid: {told}', details=details)
        self.causes = tuple(causes)


class Expired(ApiFailure):
    """The resource version, or the continue token made from it, is older than what is remembered."""

    default_code = 410
    default_reason = "Expired"


class MethodNotAllowed(ApiFailure):
    """The resource has no such verb."""

    default_code = 405
    default_reason = "MethodNotAllowed"

    def __init__(self) -> None:
        super().__init__("the server does not allow this method on the requested resource", details={})


class NotAcceptable(ApiFailure):
    """The client takes no form the server has."""

    default_code = 406
    default_reason = "NotAcceptable"

    def __init__(self, accepted: Sequence[str]) -> None:
        listed = ", ".join(accepted)
        super().__init__(f"only the following media types are accepted: {listed}")


class UnsupportedMediaType(ApiFailure):
    """The body's form is not one the server reads."""

    default_code = 415
    default_reason = "UnsupportedMediaType"

    def __init__(self, accepted: Sequence[str]) -> None:
        listed = ", ".join(accepted)
        super().__init__(f"the body of the request was in an unknown format - accepted media types include: {listed}")


class RequestTooLarge(ApiFailure):
    """The body is longer than the server reads."""

    default_code = 413
    default_reason = "RequestEntityTooLarge"

    def __init__(self, limit: int) -> None:
        super().__init__(f"Request entity too large: limit is {limit}")


class TooManyRequests(ApiFailure):
    """Not now: an eviction that a disruption budget does not allow."""

    default_code = 429
    default_reason = "TooManyRequests"


class TooLargeResourceVersion(ApiFailure):
    """The client has seen a revision this server has not reached."""

    default_code = 504
    default_reason = "Timeout"

    def __init__(self, asked: int, current: int) -> None:
        super().__init__(
            f"Too large resource version: {asked}, current: {current}",
            details={
                "causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}],
                "retryAfterSeconds": 1,
            },
        )


class ServerError(ApiFailure):
    """What Go's generic handler makes of an error that is no Status: 500 without a reason."""

    default_reason = ""


class NotOffered(ApiFailure):
    """A real API server could, this one does not."""

    default_code = 501
    default_reason = "NotImplemented"
