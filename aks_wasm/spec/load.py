"""From a YAML file, `--set` and `--target` to a checked ClusterSpec; every problem in one error."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from aks_wasm.errors import Problem, SpecInvalid, UsageError
from aks_wasm.settings import Settings
from aks_wasm.spec.builtin import builtin_document
from aks_wasm.spec.checks import find_problems
from aks_wasm.spec.models import ClusterSpec
from aks_wasm.spec.wording import fields_at, problem_of

DEFAULT_FILE = "aks-wasm.yaml"


def load_spec(
    path: Path | None, *, sets: Sequence[str] = (), target: str | None = None, settings: Settings
) -> ClusterSpec:
    """Read the spec; relative paths in it are taken from the file's folder.

    Args:
        path: The file; None takes AKS_WASM_CONFIG, else `aks-wasm.yaml` here, else the built-in hello.
        sets: Overrides such as `nodePools.0.count=3`; the value is read as YAML.
        target: Wins over the file's `target`.
        settings: The environment.

    Raises:
        SpecInvalid: The file's content is off; every problem is listed.
        UsageError: There is no such file, or a `--set` can't be applied.
    """
    chosen = target or settings.target
    given = path or _default_path(settings)
    builtin = ("built-in hello", builtin_document(chosen), Path.cwd())
    source, document, folder = _read(given) if given else builtin
    for override in sets:
        _apply_set(document, override)
    if chosen:
        document["target"] = chosen
    try:
        spec = ClusterSpec.model_validate(document)
    except ValidationError as error:
        raise SpecInvalid(source, [problem_of(item) for item in error.errors()]) from error
    problems = find_problems(spec)
    if problems:
        raise SpecInvalid(source, problems)
    return _with_absolute_paths(spec, folder)


def _default_path(settings: Settings) -> Path | None:
    if settings.config:
        return Path(settings.config)
    return Path(DEFAULT_FILE) if Path(DEFAULT_FILE).exists() else None


def _read(path: Path) -> tuple[str, dict[str, Any], Path]:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise UsageError(
            f"there is no file `{path}`",
            code="SpecNotFound",
            hint="give another with `-f FILE`; without one, `aks-wasm up` runs a built-in hello",
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"`{path}` can't be read: {error}", code="SpecUnreadable") from error
    try:
        document = yaml.load(text, Loader=_StrictLoader)  # noqa: S506 - a SafeLoader
    except yaml.YAMLError as error:
        raise SpecInvalid(str(path), [Problem("", f"not YAML: {' '.join(str(error).split())}")]) from error
    if not isinstance(document, dict):
        found = "nothing" if document is None else f"a {type(document).__name__}"
        raise SpecInvalid(str(path), [Problem("", f"expected fields such as `metadata`, found {found}")])
    return str(path), document, path.resolve().parent


class _StrictLoader(yaml.SafeLoader):
    """A SafeLoader that refuses the same key twice, where YAML would silently take the last.

    Numbers with a point stay text, so that Kubernetes `1.30` is not version 1.3; no field is such a number.
    """

    yaml_implicit_resolvers = {  # noqa: RUF012 - PyYAML's own shape
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:float"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key `{key.value}` is there twice", key.start_mark
                )
            seen.add(str(key.value))
        return super().construct_mapping(node, deep)


def _apply_set(document: dict[str, Any], override: str) -> None:
    place, equals, text = override.partition("=")
    if not equals or not place:
        raise UsageError(f"`--set {override}` is not of the form FIELD=VALUE", hint="nodePools.0.count=3")
    try:
        value = yaml.load(text, Loader=_StrictLoader)  # noqa: S506 - a SafeLoader
    except yaml.YAMLError as error:
        raise UsageError(f"`--set {override}`: the value is not YAML") from error
    *parents, last = place.split(".")
    current: Any = document
    for depth, part in enumerate(parents):
        # A field that is not known becomes no list: that it is not known is what the reader wants to hear.
        listed = [*parents, last][depth + 1].isdigit() and part in fields_at(parents[:depth])
        current = _step_into(current, part, listed=listed, override=override)
    _assign(current, last, value, override)


def _step_into(current: Any, part: str, *, listed: bool, override: str) -> Any:
    if isinstance(current, list):
        return current[_index(current, part, override)]
    if not isinstance(current, dict):
        raise UsageError(f"`--set {override}`: `{part}` is inside a value that has no fields")
    if current.get(part) is None:
        current[part] = _default_list(part) if listed else {}
    return current[part]


def _default_list(part: str) -> list[Any]:
    """Give `--set nodePools.0.arch=arm64` the default pool to change when the file names none."""
    return [{"name": "wasm"}] if part == "nodePools" else []


def _assign(current: Any, last: str, value: Any, override: str) -> None:
    if isinstance(current, list):
        if last == str(len(current)):
            current.append(value)
        else:
            current[_index(current, last, override)] = value
    elif isinstance(current, dict):
        current[last] = value
    else:
        raise UsageError(f"`--set {override}`: `{last}` is inside a value that has no fields")


def _index(items: list[Any], part: str, override: str) -> int:
    if not part.isdigit() or int(part) >= len(items):
        count = "one item" if len(items) == 1 else f"{len(items)} items"
        raise UsageError(
            f"`--set {override}`: there is no item `{part}` in a list of {count}, counted from 0",
            hint=f"to add one, set item `{len(items)}` as a whole, as in `--set 'nodePools.1={{name: more}}'`",
        )
    return int(part)


def _with_absolute_paths(spec: ClusterSpec, folder: Path) -> ClusterSpec:
    workloads = tuple(
        workload.model_copy(
            update={
                field: str(folder / value)
                for field in ("source", "module")
                if (value := getattr(workload, field)) is not None
            }
        )
        for workload in spec.workloads
    )
    return spec.model_copy(update={"workloads": workloads})
