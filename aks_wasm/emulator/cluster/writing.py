"""create and update: an object is read strictly, defaulted, admitted, checked, its owners noted, and stored."""

from __future__ import annotations

import copy
import secrets
from dataclasses import dataclass, field

from aiohttp import web

from aks_wasm.emulator.cluster import (
    admission,
    conversion,
    crds,
    custom_schemas,
    defaults,
    immutability,
    validation,
)
from aks_wasm.emulator.cluster.calls import Call
from aks_wasm.emulator.cluster.causes import Cause, invalid, required
from aks_wasm.emulator.cluster.context import ApiContext
from aks_wasm.emulator.cluster.decoding import WrongType, decoded
from aks_wasm.emulator.cluster.kinds import WITHOUT_CONTROLLER, Kind
from aks_wasm.emulator.cluster.managed_fields import track_update
from aks_wasm.emulator.cluster.options import WriteOptions
from aks_wasm.emulator.cluster.reading import shown
from aks_wasm.emulator.cluster.schemas import node_of
from aks_wasm.emulator.cluster.statuses import BadRequest, Invalid, MethodNotAllowed, NotFound
from aks_wasm.emulator.cluster.trees import Tree, metadata

_NAME_LETTERS = "bcdfghjklmnpqrstvwxz2456789"  # apimachinery's rand: no vowels, no digits that look like letters
_LONGEST_PREFIX = 58  # of generated names: 63 letters less the five at random


@dataclass
class Write:
    """One write on its way into the store."""

    context: ApiContext
    call: Call
    options: WriteOptions
    warnings: list[str] = field(default_factory=list)

    def read(self, obj: Tree) -> Tree:
        """Return what the server understands of a client's object.

        Raises:
            BadRequest: It is of another kind or namespace, a type is wrong, or strictness forbids a field.
        """
        kind = self.call.kind
        twice = [f'duplicate field "{path}"' for path in getattr(obj, "duplicates", ())]
        obj = {"apiVersion": kind.api_version, "kind": kind.kind, **obj}
        _check_kind(self.call, obj)
        try:
            read = decoded(node_of(kind), obj, loose=kind.definition is not None)
        except WrongType as error:
            raise BadRequest(self._cannot(str(error))) from error
        told = twice + [f'unknown field "{path}"' for path in read.unknown]
        if told and self.options.validation != "Ignore":
            if self.options.validation == "Strict":
                raise BadRequest(self._cannot("strict decoding error: " + ", ".join(told)))
            self.warnings += told
        self._check_namespace(read.obj)
        fill_custom(kind, read.obj)
        return conversion.inward(kind, read.obj)

    def _cannot(self, why: str) -> str:
        kind = self.call.kind
        return f'{kind.kind} in version "{kind.version}" cannot be handled as a {kind.kind}: {why}'

    def _check_namespace(self, obj: Tree) -> None:
        meta = metadata(obj)
        if not self.call.kind.namespaced:
            meta.pop("namespace", None)
        elif meta.setdefault("namespace", self.call.namespace) != self.call.namespace:
            raise BadRequest("the namespace of the provided object does not match the namespace sent on the request")


def fill_custom(kind: Kind, obj: Tree) -> None:
    """Fill the defaults of a custom object's schema in, in place; other kinds have theirs in `defaults`."""
    if kind.definition is not None:
        custom_schemas.fill(custom_schemas.schema_of(dict(kind.definition)), obj)


def _check_kind(call: Call, obj: Tree) -> None:
    kind = call.kind
    if (obj["apiVersion"], obj["kind"]) == (kind.api_version, kind.kind):
        return
    if obj["apiVersion"] != kind.api_version:
        raise BadRequest(
            f"the API version in the data ({obj['apiVersion']}) does not match the expected API version "
            f"({kind.api_version})"
        )
    raise BadRequest(
        f'{obj["kind"]} in version "{kind.version}" cannot be handled as a {kind.kind}: converting '
        f"({obj['apiVersion']}.{obj['kind']}) to ({kind.api_version}.{kind.kind}): unknown conversion"
    )


async def create(context: ApiContext, call: Call) -> web.Response:
    """Answer a POST to a collection.

    Raises:
        ApiFailure: Whatever forbids it.
    """
    if call.name or (call.kind.namespaced and not call.namespace):
        raise MethodNotAllowed
    write = Write(context, call, WriteOptions.of(call))
    stored = create_object(write, write.read(await call.body()))
    return shown(call, conversion.outward(call.kind, stored), 201, tuple(write.warnings))


def create_object(write: Write, obj: Tree) -> Tree:
    """Store a new object that has been read; its fields' owner is the write's manager unless it names owners.

    Raises:
        ApiFailure: Whatever forbids it.
    """
    context, kind = write.context, write.call.kind
    plural = kind.stored_as
    if plural in WITHOUT_CONTROLLER:
        write.warnings.append(f"the aks-wasm emulator keeps a {kind.kind} but has no controller that acts on it")
    if plural == crds.PLURAL:
        write.warnings += crds.unchecked(obj)
    _name(write, obj)
    admission.require_namespace(context.store, plural, obj)
    owners = obj["metadata"].pop("managedFields", None)
    defaults.reset_for_create(kind, obj)
    if owners is None:
        owners = _first_owners(write, obj)
    admission.prepare(context.store, plural, obj)
    causes = validation.problems(kind, obj)
    if causes:
        raise Invalid(kind.kind, obj["metadata"]["name"], causes, group=kind.group)
    write.warnings += admission.validate(context.store, plural, None, obj)
    if owners:
        obj["metadata"]["managedFields"] = owners
    stored = context.store.insert(plural, obj, dry_run=write.options.dry_run)
    if plural == crds.PLURAL and not write.options.dry_run:
        return crds.establish(context, stored)
    return stored


def _first_owners(write: Write, obj: Tree) -> list[Tree]:
    """Return who owns the fields of a new object: the creator what it wrote and its defaults.

    What admission and the kind's own preparation add is nobody's: a pod's tolerations, a Service's address, a status.
    """
    kind = write.call.kind
    drafted = copy.deepcopy(obj)
    defaults.apply(kind.stored_as, drafted)
    if "status" in kind.subresources:
        drafted.pop("status", None)
    if drafted.get("spec") == {}:  # made by defaulting, with nothing in it for anybody to own
        del drafted["spec"]
    track_update(node_of(kind), {}, drafted, write.options.updater(write.call))
    owners: list[Tree] = drafted["metadata"].get("managedFields", [])
    return owners


def _name(write: Write, obj: Tree) -> None:
    meta = metadata(obj)
    name, prefix = meta.get("name"), meta.get("generateName")
    if not name and prefix:
        meta["name"] = prefix[:_LONGEST_PREFIX] + "".join(secrets.choice(_NAME_LETTERS) for _ in range(5))
    elif not name:
        kind = write.call.kind
        causes = [required("metadata.name", "name or generateName is required")]
        raise Invalid(kind.kind, "", causes, group=kind.group)


async def update(context: ApiContext, call: Call) -> web.Response:
    """Answer a PUT of an object or its status.

    Raises:
        ApiFailure: Whatever forbids it.
    """
    write = Write(context, call, WriteOptions.of(call))
    obj = write.read(await call.body())
    name = metadata(obj).setdefault("name", call.name)
    if name != call.name:
        raise BadRequest(f"the name of the object ({name}) does not match the name on the URL ({call.name})")
    old = context.store.get(call.kind.stored_as, call.name, call.namespace)
    if old is None:
        raise NotFound(call.kind.plural, call.name)
    if call.kind.definition is not None and not obj["metadata"].get("resourceVersion"):
        causes = [invalid("metadata.resourceVersion", 0, "must be specified for an update")]
        raise Invalid(call.kind.resource, name, causes, group=call.kind.group)
    stored = update_object(write, old, obj)
    return shown(call, conversion.outward(call.kind, stored), 200, tuple(write.warnings))


def update_object(write: Write, old: Tree, new: Tree, *, track: bool = True) -> Tree:
    """Store an object in the place of the old one; `track` notes what the write's manager changed.

    Raises:
        ApiFailure: Whatever forbids it.
    """
    context, call = write.context, write.call
    kind = call.kind
    immutability.restrict(kind, call.subresource, old, new)
    defaults.apply(kind.stored_as, new)
    admission.prepare_update(context.store, kind.stored_as, old, new)
    causes = _update_problems(write, old, new)
    if causes:
        raise Invalid(kind.kind, call.name, causes, group=kind.group)
    if not call.subresource:
        write.warnings += admission.validate(context.store, kind.stored_as, old, new)
    if track and _differ(old, new):
        track_update(node_of(kind), old, new, write.options.updater(call))
    elif track:
        metadata(new)["managedFields"] = old["metadata"].get("managedFields", [])
        if not new["metadata"]["managedFields"]:
            del new["metadata"]["managedFields"]
    whole = kind.definition is not None and "status" not in kind.subresources
    stored = context.store.replace(kind.stored_as, new, dry_run=write.options.dry_run, whole=whole)
    if kind.plural == crds.PLURAL and not write.options.dry_run:
        return crds.establish(context, stored)
    return stored


def _differ(old: Tree, new: Tree) -> bool:
    """Whether anything but what the server keeps itself is different."""
    ignored = ("resourceVersion", "uid", "creationTimestamp", "generation", "selfLink", "deletionTimestamp",
               "deletionGracePeriodSeconds")  # fmt: skip

    def bare(obj: Tree) -> Tree:
        return obj | {"metadata": {key: value for key, value in obj["metadata"].items() if key not in ignored}}

    return bare(old) != bare(new)


def _update_problems(write: Write, old: Tree, new: Tree) -> list[Cause]:
    kind = write.call.kind
    if write.call.subresource == "status":
        return validation.status_problems(kind, new)
    return [*immutability.problems(kind, old, new), *validation.problems(kind, new)]
