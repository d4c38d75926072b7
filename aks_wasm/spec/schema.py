"""The JSON Schema of the file, for editors."""

from __future__ import annotations

from typing import Any

from aks_wasm.spec.models import ClusterSpec


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of aks-wasm.yaml."""
    schema = ClusterSpec.model_json_schema(by_alias=True)
    return {**schema, "$schema": "https://json-schema.org/draft/2020-12/schema", "title": "aks-wasm.yaml"}
