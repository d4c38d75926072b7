from __future__ import annotations

from pathlib import Path

import pytest
from wasmtime import wat2wasm

from aks_wasm.wasm.inspect import WasmFile, inspect
from aks_wasm.wasm.spin_manifest import SpinApp, load
from aks_wasm.wasm.suitability import Host, Runs, Use, app_problems, module_problems

HELLO = Path(__file__).parents[3] / "aks_wasm" / "hello"
SPIN = Host("`spin` v0.25.1", Runs(spin_manifest=(1, 2), triggers=("http", "redis", "command")))
SPIN_1 = Host("`spin` v0.8.0", Runs(spin_manifest=(1,), triggers=("http", "redis")))
WASMTIME = Host("`wasmtime` v0.6.0", Runs(wasip1=True, components=True, wasi_http=True))
WASMER = Host("`wasmer` v0.6.0", Runs(wasip1=True))
JOB = Use("workloads.0", "job")
SERVICE = Use("workloads.0", "service")
HIDDEN = Use("workloads.0", "service", exposed=False)

HTTP_COMPONENT = '(component (instance $i) (export "wasi:http/incoming-handler@0.2.0" (instance $i)))'
CLI_COMPONENT = '(component (instance $i) (export "wasi:cli/run@0.2.0" (instance $i)))'


def wasm(folder: Path, wat: str) -> WasmFile:
    path = folder / "app.wasm"
    path.write_bytes(wat2wasm(wat))
    return inspect(path)


def app(folder: Path, trigger: str, wat: str = '(module (func (export "_start")))') -> SpinApp:
    wasm(folder, wat)
    path = folder / "spin.toml"
    path.write_text(
        f'spin_manifest_version = 2\n[application]\nname = "x"\n{trigger}\n[component.x]\nsource = "app.wasm"\n'
    )
    return load(path)


HTTP = '[[trigger.http]]\nroute = "/"\ncomponent = "x"\n'
WAGI = HTTP + 'executor = { type = "wagi" }\n'
COMMAND = '[[trigger.command]]\ncomponent = "x"\n'


def test_the_built_in_workloads_are_fine() -> None:
    assert module_problems(inspect(HELLO / "job" / "task.wasm"), WASMTIME, JOB) == []
    assert app_problems(load(HELLO / "service" / "spin.toml"), SPIN, SERVICE) == []
    assert app_problems(load(HELLO / "service" / "spin-1.toml"), SPIN_1, SERVICE) == []
    assert app_problems(load(HELLO / "job" / "spin.toml"), SPIN, JOB) == []
    assert app_problems(load(HELLO / "probe" / "spin.toml"), SPIN, JOB) == []


def test_imports_that_no_shim_has_are_named(tmp_path: Path) -> None:
    file = wasm(tmp_path, '(module (import "env" "gl" (func)) (import "wbg" "x" (func)) (func (export "_start")))')
    (problem,) = module_problems(file, WASMTIME, JOB)
    assert problem.field == "workloads.0.module"
    assert "imports `env`, `wbg`, which `wasmtime` v0.6.0 does not have" in problem.message
    assert "browser" in (problem.hint or "")


def test_a_library_is_no_command(tmp_path: Path) -> None:
    (problem,) = module_problems(wasm(tmp_path, '(module (func (export "add")))'), WASMTIME, JOB)
    assert "exports no `_start`" in problem.message


def test_a_p1_command_cannot_be_exposed(tmp_path: Path) -> None:
    file = inspect(HELLO / "job" / "task.wasm")
    (problem,) = module_problems(file, WASMTIME, SERVICE)
    assert "cannot listen" in problem.message
    assert module_problems(file, WASMTIME, HIDDEN) == []


def test_spin_does_not_run_single_modules() -> None:
    (problem,) = module_problems(inspect(HELLO / "job" / "task.wasm"), SPIN, JOB)
    assert "does not run single modules" in problem.message
    assert "`source`" in (problem.hint or "")


def test_components_and_modules_are_not_mixed_up(tmp_path: Path) -> None:
    assert module_problems(wasm(tmp_path, HTTP_COMPONENT), WASMTIME, SERVICE) == []
    assert "serves HTTP" in module_problems(wasm(tmp_path, HTTP_COMPONENT), WASMTIME, JOB)[0].message
    assert "does not do" in module_problems(wasm(tmp_path, HTTP_COMPONENT), WASMER, SERVICE)[0].message
    assert module_problems(wasm(tmp_path, CLI_COMPONENT), WASMTIME, JOB) == []
    assert "core modules only" in module_problems(wasm(tmp_path, CLI_COMPONENT), WASMER, JOB)[0].message
    only_components = Host("`x`", Runs(components=True))
    assert "components only" in module_problems(inspect(HELLO / "job" / "task.wasm"), only_components, JOB)[0].message


def test_a_component_that_is_neither_command_nor_handler_is_refused(tmp_path: Path) -> None:
    found = module_problems(wasm(tmp_path, '(component (import "acme:db/store" (func)))'), WASMTIME, JOB)
    assert ["neither" in found[0].message, "`acme:db/store`" in found[1].message] == [True, True]


def test_a_manifest_that_an_old_spin_cannot_read_is_refused() -> None:
    found = app_problems(load(HELLO / "service" / "spin.toml"), SPIN_1, SERVICE)
    assert ["version 2" in problem.message for problem in found] == [True]


def test_a_shim_without_spin_is_told() -> None:
    (problem,) = app_problems(load(HELLO / "service" / "spin.toml"), WASMTIME, SERVICE)
    assert problem.hint == "take the shim `spin`"


@pytest.mark.parametrize(
    ("trigger", "use", "said"),
    [
        ('[[trigger.cron]]\ncomponent = "x"\n', HIDDEN, "has no trigger `cron`"),
        (WAGI, JOB, "a job ends, but the trigger `http` waits for ever"),
        (COMMAND, SERVICE, "the trigger `command` runs once and ends"),
        ('[[trigger.redis]]\nchannel = "c"\ncomponent = "x"\n', SERVICE, "nothing in it answers HTTP"),
        (HTTP, SERVICE, "exports no HTTP handler"),
    ],
)
def test_triggers_that_do_not_fit_are_told(tmp_path: Path, trigger: str, use: Use, said: str) -> None:
    assert any(said in problem.message for problem in app_problems(app(tmp_path, trigger), SPIN, use))


def test_wagi_runs_core_modules_that_export_what_it_calls(tmp_path: Path) -> None:
    assert app_problems(app(tmp_path, WAGI), SPIN, SERVICE) == []
    assert "is a component" in app_problems(app(tmp_path, WAGI, CLI_COMPONENT), SPIN, SERVICE)[0].message
    assert "does not export `_start`" in app_problems(app(tmp_path, WAGI, "(module)"), SPIN, SERVICE)[0].message


def test_a_handler_component_of_spin_is_fine_and_its_foreign_imports_are_not(tmp_path: Path) -> None:
    handler = HTTP_COMPONENT.replace("(component", '(component (import "fermyon:spin/key-value@2.0.0" (instance))')
    assert app_problems(app(tmp_path, HTTP, handler), SPIN, SERVICE) == []
    foreign = HTTP_COMPONENT.replace("(component", '(component (import "acme:db/store" (instance))')
    assert "`acme:db/store`" in app_problems(app(tmp_path, HTTP, foreign), SPIN, SERVICE)[0].message


def test_a_command_trigger_needs_a_command(tmp_path: Path) -> None:
    assert "is no command" in app_problems(app(tmp_path, COMMAND, "(module)"), SPIN, JOB)[0].message


def test_a_module_of_an_application_that_is_missing_is_told(tmp_path: Path) -> None:
    application = app(tmp_path, WAGI)
    (tmp_path / "app.wasm").unlink()
    assert "there is no file" in app_problems(application, SPIN, SERVICE)[0].message
