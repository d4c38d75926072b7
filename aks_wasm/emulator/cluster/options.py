"""The options of writes: dryRun, fieldManager, fieldValidation, force, from query or body."""

from __future__ import annotations

from dataclasses import dataclass

from aks_wasm.emulator.cluster.calls import Call
from aks_wasm.emulator.cluster.causes import Cause, invalid, not_supported, required
from aks_wasm.emulator.cluster.managed_fields import Manager
from aks_wasm.emulator.cluster.statuses import Invalid
from aks_wasm.emulator.cluster.trees import Tree, dig

APPLY_MEDIA = "application/apply-patch+yaml"


@dataclass(frozen=True)
class WriteOptions:
    """How a write is to be done.

    Attributes:
        dry_run: Everything but the writing.
        manager: Who owns the fields that change.
        validation: Strict refuses unknown fields, Warn warns, Ignore drops them.
        force: Server-side apply takes others' fields.
    """

    dry_run: bool
    manager: str
    validation: str
    force: bool

    @classmethod
    def of(cls, call: Call) -> WriteOptions:
        """Read the query of a write.

        Raises:
            Invalid: An option has a value it can't have.
        """
        query = call.request.query
        applying = call.request.content_type == APPLY_MEDIA and call.verb == "patch"
        causes: list[Cause] = []
        if query.getall("dryRun", ["All"]) not in (["All"], [""]):
            causes.append(not_supported("dryRun", query.getall("dryRun"), ["All"]))
        validation = call.text("fieldValidation") or "Warn"
        if validation not in {"Strict", "Warn", "Ignore"}:
            causes.append(not_supported("fieldValidation", validation, ["", "Ignore", "Strict", "Warn"]))
        if applying and not call.text("fieldManager"):
            causes.append(required("fieldManager", "is required for apply patch"))
        if len(call.text("fieldManager")) > 128:
            causes.append(invalid("fieldManager", call.text("fieldManager"), "may not be more than 128 bytes"))
        if "force" in query and not applying and call.verb == "patch":
            causes.append(Cause("force", "FieldValueForbidden", "Forbidden: may not be specified for non-apply patch"))
        if causes:
            kind = {"create": "CreateOptions", "update": "UpdateOptions"}.get(call.verb, "PatchOptions")
            raise Invalid(kind, "", causes, group="meta.k8s.io")
        agent = call.request.headers.get("User-Agent", "unknown").partition("/")[0]
        return cls(
            "All" in query.getall("dryRun", []), call.text("fieldManager") or agent, validation, call.flag("force")
        )

    def updater(self, call: Call) -> Manager:
        """Return the entry of managedFields that a create, update or patch adds to."""
        return Manager(self.manager, "Update", call.kind.api_version, call.subresource)

    def applier(self, call: Call) -> Manager:
        """Return the entry of managedFields of an apply."""
        return Manager(self.manager, "Apply", call.kind.api_version, call.subresource)


@dataclass(frozen=True)
class DeleteOptions:
    """How a delete is to be done; None where the client leaves it to the server."""

    dry_run: bool
    propagation: str | None
    grace_seconds: int | None
    uid: str | None
    revision: str | None

    @classmethod
    def of(cls, call: Call, body: Tree) -> DeleteOptions:
        """Read body and query; the body's word goes first.

        Raises:
            Invalid: The propagation policy is not known.
        """
        propagation = body.get("propagationPolicy") or call.text("propagationPolicy") or None
        orphan = body.get("orphanDependents")
        if propagation is None and orphan is not None:
            propagation = "Orphan" if orphan else "Background"
        if propagation not in {None, "Background", "Foreground", "Orphan"}:
            allowed = ["Background", "Foreground", "Orphan", "nil"]
            raise Invalid(
                "DeleteOptions", "", [not_supported("propagationPolicy", propagation, allowed)], group="meta.k8s.io"
            )
        grace = body.get("gracePeriodSeconds")
        return cls(
            bool(body.get("dryRun")) or bool(call.text("dryRun")),
            propagation,
            call.number("gracePeriodSeconds") if grace is None else grace,
            dig(body, "preconditions", "uid"),
            dig(body, "preconditions", "resourceVersion"),
        )
