"""What pipelines read: files that GitHub names, commands in the log."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from aks_wasm.display.ci import AzurePipelines, GitHubActions, find_pipeline, print_nothing
from aks_wasm.errors import NoCapacity

DOCUMENT = {
    "apiVersion": "aks-wasm/v1",
    "kind": "UpResult",
    "ok": True,
    "cluster": {"name": "demo", "resourceGroup": "demo-group"},
    "workloads": [
        {"name": "job", "ready": True, "replicas": "1/1", "endpoint": None},
        {"name": "he|lo", "ready": True, "replicas": "2/2", "endpoint": "http://20.1.2.3"},
    ],
    "steps": [{"name": "cluster/demo", "state": "done", "seconds": 222.0}],
    "error": None,
}


def outputs(path: Path) -> dict[str, str]:
    """Read the file as the runner does."""
    found, lines = {}, iter(path.read_text().splitlines())
    for line in lines:
        name, _, mark = line.partition("<<")
        value = []
        while (text := next(lines)) != mark:
            value.append(text)
        found[name] = "\n".join(value)
    return found


@pytest.fixture
def github(tmp_path: Path) -> GitHubActions:
    return GitHubActions({"GITHUB_OUTPUT": str(tmp_path / "output"), "GITHUB_STEP_SUMMARY": str(tmp_path / "summary")})


def test_github_gets_outputs_for_later_steps(github: GitHubActions, tmp_path: Path) -> None:
    github.publish(DOCUMENT)
    found = outputs(tmp_path / "output")
    assert json.loads(found.pop("result")) == DOCUMENT
    assert found == {"endpoint": "http://20.1.2.3", "cluster": "demo", "resource-group": "demo-group"}


def test_no_value_can_begin_another_output(github: GitHubActions, tmp_path: Path) -> None:
    github.publish({**DOCUMENT, "cluster": {"name": "demo\nEOF\nendpoint<<EOF\nhttp://evil"}})
    assert set(outputs(tmp_path / "output")) == {"endpoint", "cluster", "resource-group", "result"}
    assert outputs(tmp_path / "output")["endpoint"] == "http://20.1.2.3"


def test_github_gets_a_job_summary(github: GitHubActions, tmp_path: Path) -> None:
    github.publish(DOCUMENT)
    summary = (tmp_path / "summary").read_text()
    assert summary.startswith("### ✅ aks-wasm up demo\n")
    assert "| he\\|lo | yes | 2/2 | http://20.1.2.3 |" in summary
    assert "| ✅ done | cluster/demo | 222.0 |" in summary


def test_a_failures_summary_says_why_and_what_to_do(github: GitHubActions, tmp_path: Path) -> None:
    github.publish({**DOCUMENT, "ok": False, "cluster": None, "error": {"message": "no room", "hint": "elsewhere"}})
    summary = (tmp_path / "summary").read_text()
    assert summary.startswith("### ❌ aks-wasm up\n\n**no room**\n\nelsewhere\n")


def test_files_that_can_not_be_written_are_a_warning(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    GitHubActions({"GITHUB_OUTPUT": str(tmp_path / "absent" / "file")}).publish(DOCUMENT)
    assert capsys.readouterr().err.startswith("::warning::GITHUB_OUTPUT could not be written")


def test_github_commands_go_to_stderr_escaped(github: GitHubActions, capsys: pytest.CaptureFixture[str]) -> None:
    github.begin("aks-wasm up demo")
    github.fail(NoCapacity("100% full\nreally", code="A:B", hint="elsewhere"))
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == [
        "::group::aks-wasm up demo",
        "::endgroup::",
        "::error title=aks-wasm%3A A%3AB::100%25 full%0Areally%0Ahint: elsewhere",
    ]


def test_azure_pipelines_get_variables_and_issues(capsys: pytest.CaptureFixture[str]) -> None:
    pipeline = AzurePipelines()
    pipeline.publish(DOCUMENT)
    pipeline.fail(NoCapacity("100% full\nreally", code="A;B]", hint="elsewhere"))
    captured = capsys.readouterr()
    assert captured.out == ""
    lines = captured.err.splitlines()
    assert "##vso[task.setvariable variable=AKS_WASM_ENDPOINT;isOutput=true]http://20.1.2.3" in lines
    assert "##vso[task.setvariable variable=AKS_WASM_RESOURCE_GROUP;isOutput=true]demo-group" in lines
    assert lines[-1] == "##vso[task.logissue type=error;code=A%3BB%5D]100%AZP25 full%0Areally%0Ahint: elsewhere"


def test_the_service_is_found_by_its_own_variable(capsys: pytest.CaptureFixture[str]) -> None:
    assert find_pipeline({"CI": "true"}) is None
    assert isinstance(find_pipeline({"GITHUB_ACTIONS": "true"}), GitHubActions)
    pipeline = find_pipeline({"TF_BUILD": "True"}, print_nothing)
    assert isinstance(pipeline, AzurePipelines)
    pipeline.publish(DOCUMENT)
    assert capsys.readouterr().err == ""
