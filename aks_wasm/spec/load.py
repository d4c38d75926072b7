"""From a YAML file, `--set` and `--target` to a checked ClusterSpec; every problem in one error."""

from __future__ import annotations

import difflib
from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from aks_wasm.errors import Problem, SpecInvalid, UsageError
from aks_wasm.settings import Settings
from aks_wasm.spec.builtin import builtin_document
from aks_wasm.spec.checks import find_problems
from aks_wasm.spec.models import ClusterSpec

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
    source, document, folder = _read(path or _default_path(settings))
    for override in sets:
        _apply_set(document, override)
    chosen = target or settings.target
    if chosen:
        document["target"] = chosen
    try:
        spec = ClusterSpec.model_validate(document)
    except ValidationError as error:
        raise SpecInvalid(source, [_problem(item) for item in error.errors()]) from error
    problems = find_problems(spec)
    if problems:
        raise SpecInvalid(source, problems)
    return _with_absolute_paths(spec, folder)


def _default_path(settings: Settings) -> Path | None:
    if settings.config:
        return Path(settings.config)
    return Path(DEFAULT_FILE) if Path(DEFAULT_FILE).exists() else None


def _read(path: Path | None) -> tuple[str, dict[str, Any], Path]:
    if path is None:
        return "built-in hello", builtin_document(), Path.cwd()
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
    """A SafeLoader that refuses the same key twice, where YAML would silently take the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002
        seen: set[str] = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key `{key.value}` is there twice", key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def _apply_set(document: dict[str, Any], override: str) -> None:
    place, equals, text = override.partition("=")
    if not equals or not place:
        raise UsageError(f"`--set {override}` is not of the form FIELD=VALUE", hint="nodePools.0.count=3")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise UsageError(f"`--set {override}`: the value is not YAML") from error
    *parents, last = place.split(".")
    current: Any = document
    for depth, part in enumerate(parents):
        current = _step_into(current, part, following=[*parents, last][depth + 1], override=override)
    _assign(current, last, value, override)


def _step_into(current: Any, part: str, *, following: str, override: str) -> Any:
    if isinstance(current, list):
        return current[_index(current, part, override)]
    if not isinstance(current, dict):
        raise UsageError(f"`--set {override}`: `{part}` is inside a value that has no fields")
    if current.get(part) is None:
        current[part] = _default_list(part) if following.isdigit() else {}
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
        raise UsageError(f"`--set {override}`: there is no item `{part}`; there are {len(items)}")
    return int(part)


def _problem(item: Any) -> Problem:
    place = [str(part) for part in item["loc"] if not str(part).startswith(("function-", "constrained-"))]
    if item["type"] == "extra_forbidden":
        near = difflib.get_close_matches(place[-1], _fields_at(place[:-1]), n=1)
        return Problem(".".join(place), "there is no such field", f"did you mean `{near[0]}`?" if near else None)
    given = item.get("input")
    shown = "" if isinstance(given, dict | list) or given is None else f": `{given}`"
    return Problem(".".join(place), _plain(item) + shown)


def _plain(item: Any) -> str:
    if item["type"] == "missing":
        return "is required"
    if item["type"] == "string_pattern_mismatch":
        return f"must match {item['ctx']['pattern']}"
    message: str = item["msg"]
    return message[0].lower() + message[1:]


def _fields_at(place: Sequence[str]) -> list[str]:
    model: Any = ClusterSpec
    for part in place:
        if part.isdigit():
            continue
        models = [m for m in _models_of(model) if _field_named(m, part)]
        if not models:
            return []
        model = _field_named(models[0], part).annotation
    return [field.alias or name for m in _models_of(model) for name, field in m.model_fields.items()]


def _models_of(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for inner in getattr(annotation, "__args__", ()) for model in _models_of(inner)]


def _field_named(model: type[BaseModel], alias: str) -> Any:
    return next((field for name, field in model.model_fields.items() if alias in (field.alias, name)), None)


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
