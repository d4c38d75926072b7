from __future__ import annotations

from pathlib import Path

import yaml

from aks_wasm.settings import Settings
from aks_wasm.spec.load import load_spec
from aks_wasm.spec.schema import json_schema

README = Path(__file__).parents[3] / "README.md"


def test_the_schema_names_the_file_and_every_field_of_it() -> None:
    schema = json_schema()
    assert schema["title"] == "aks-wasm.yaml"
    assert {"metadata", "nodePools", "workloads", "shims"} <= set(schema["properties"])
    assert schema["additionalProperties"] is False


def test_the_file_in_the_readme_is_a_valid_spec(tmp_path: Path) -> None:
    text = README.read_text(encoding="utf-8")
    block = next(part for part in text.split("```yaml\n")[1:] if part.startswith("apiVersion: aks-wasm/v1"))
    path = tmp_path / "aks-wasm.yaml"
    path.write_text(block.split("```")[0])
    spec = load_spec(path, settings=Settings(home=tmp_path))
    document = yaml.safe_load(path.read_text())
    assert set(document) == {field.alias for field in type(spec).model_fields.values()}
