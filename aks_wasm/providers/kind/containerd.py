"""containerd's configuration: under which plugin id a runtime goes, and what containerd makes of it in the end; pure.

What the ids do is in facts wasm.md, findings 1 to 3: a runtime under the wrong id is dropped without a word, or makes
containerd drop what stands under the other one, runc's SystemdCgroup for instance.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from typing import Any

from aks_wasm.errors import ServiceError

_BEFORE_2 = "io.containerd.grpc.v1.cri"
_FROM_2 = "io.containerd.cri.v1.runtime"
DEFAULT_RUNTIME = "runc"
_TAKES_OPTIONS = (1, 7)

Runtimes = Mapping[str, Mapping[str, Any]]
"""Handler -> its settings, as containerd has them in effect."""


def plugin_id(root: str) -> str:
    """Return the id under which this root file's containerd reads runtimes: the one the file uses, else its version's.

    Args:
        root: The text of /etc/containerd/config.toml.

    Raises:
        ServiceError: It is no TOML.
    """
    document = _parsed(root, "the node image's containerd configuration")
    plugins = document.get("plugins") or {}
    for known in (_FROM_2, _BEFORE_2):
        if known in plugins:
            return known
    return _FROM_2 if document.get("version", 1) >= 3 else _BEFORE_2


def patch(root: str, handlers: Mapping[str, str], *, systemd_cgroup: bool) -> str:
    """Return the patch for kind that adds runtimes; with the file's own version, which kind compares.

    Args:
        root: The text of the file that it is for.
        handlers: Handler -> absolute path of its shim in the node.
        systemd_cgroup: Whether the shims make their control groups through systemd.
    """
    document, plugin = _parsed(root, "the node image's containerd configuration"), plugin_id(root)
    lines = [f"version = {document['version']}"] if "version" in document else []
    for handler, path in sorted(handlers.items()):
        table = f'plugins."{plugin}".containerd.runtimes."{handler}"'
        lines += [f"[{table}]", f'  runtime_type = "{path}"']
        if systemd_cgroup:
            lines += [f"[{table}.options]", "  SystemdCgroup = true"]
    return "".join(f"{line}\n" for line in lines)


def runtimes(dump: str) -> Runtimes:
    """Return the runtimes that are in effect.

    Args:
        dump: What `containerd config dump` writes; its ids depend on containerd, not on the root file.

    Raises:
        ServiceError: It is no TOML.
    """
    plugins = _parsed(dump, "what `containerd config dump` says").get("plugins") or {}
    found: dict[str, Mapping[str, Any]] = {}
    for plugin in (_BEFORE_2, _FROM_2):
        found.update(((plugins.get(plugin) or {}).get("containerd") or {}).get("runtimes") or {})
    return found


def systemd_for_shims(effective: Runtimes, version: str) -> bool:
    """Return whether shims are told to make their control groups through systemd, as runc does.

    containerd before 1.7 hands other shims than runc's an empty text whatever options they have, and runwasi's then
    refuse every pod: `missing field systemd_cgroup` (seen with 1.6.20). Without options they take their default.

    Args:
        effective: The runtimes in effect before any is added.
        version: What `containerd --version` says.
    """
    found = re.search(r"\b(\d+)\.(\d+)\.\d+", version)
    takes_options = found is None or (int(found[1]), int(found[2])) >= _TAKES_OPTIONS
    return takes_options and bool((effective.get(DEFAULT_RUNTIME, {}).get("options") or {}).get("SystemdCgroup"))


def differences(before: Runtimes, after: Runtimes, handlers: Iterable[str]) -> list[str]:
    """Return what is not as it should be once runtimes were added: one that is missing, or an old one that changed."""
    found = [f"the runtime `{handler}` is not in effect" for handler in handlers if handler not in after]
    for handler, settings in before.items():
        if handler not in after:
            found.append(f"the runtime `{handler}` is gone")
            continue
        for key, value in _flat(settings).items():
            now = _flat(after[handler]).get(key)
            if now != value:
                found.append(f"`{key}` of the runtime `{handler}` was {value!r} and is {now!r}")
    return found


def _flat(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings by name, those of `options` as `options.NAME`."""
    options = settings.get("options") or {}
    return {key: value for key, value in settings.items() if key != "options"} | {
        f"options.{key}": value for key, value in options.items()
    }


def _parsed(text: str, what: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ServiceError(
            f"{what} is not TOML: {error}",
            code="NodeImageInvalid",
            hint="give another image as `local.nodeImage`, or none",
        ) from error
