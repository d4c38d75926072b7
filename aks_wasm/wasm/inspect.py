"""What a .wasm file is, read from its binary sections: module or component, which WASI, what it imports and exports."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from aks_wasm.errors import UsageError
from aks_wasm.wasm.binary import Sections, Truncated, component_names, module_names

MAGIC = b"\0asm"
_MODULE_VERSION = b"\x01\x00\x00\x00"
_COMPONENT_VERSION = b"\x0d\x00\x01\x00"
_FIRST_BYTES = 512  # enough to say what a file is instead
# Export names that Spin's HTTP trigger and `wasi:http` hosts look for (fermyon/spin crates/http/src/trigger.rs).
_HTTP_EXPORTS = ("wasi:http/incoming-handler@", "wasi:http/handler@", "fermyon:spin/inbound-http")
_BUILD_HINT = (
    "build it for wasm32-wasip1, for example `cargo build --target wasm32-wasip1` or `GOOS=wasip1 GOARCH=wasm go build`"
)

Wasi = Literal["p0", "p1", "p2", "p3"]


@dataclass(frozen=True)
class WasmFile:
    """A WebAssembly binary, looked at but not run.

    Attributes:
        path: Where it is.
        kind: A core `module` or a `component`.
        wasi: The WASI version its imports ask for; None when it imports nothing of WASI.
        imports: `module.name` of a core module, interface names of a component, in their order.
        exports: Names, in their order.
        exports_start: Whether it can be run as a command (`_start`, or `wasi:cli/run`).
        http_handler: Whether it exports a handler that an HTTP host calls.
        size: Bytes.
    """

    path: Path
    kind: Literal["module", "component"]
    wasi: Wasi | None
    imports: tuple[str, ...]
    exports: tuple[str, ...]
    exports_start: bool
    http_handler: bool
    size: int

    @property
    def import_modules(self) -> tuple[str, ...]:
        """The modules, or the packages without their versions, that imports come from; each once."""
        separator = "." if self.kind == "module" else "/"
        return tuple(dict.fromkeys(name.partition(separator)[0] for name in self.imports))


def inspect(path: Path) -> WasmFile:
    """Read a file's sections.

    Raises:
        UsageError: There is no such file, it is not WebAssembly, or it is cut short; says what it is instead.
    """
    data = _read(path)
    if not data.startswith(MAGIC):
        raise UsageError(f"`{path}` is not WebAssembly: it {_instead(data)}", code="NotWasm", hint=_hint(data))
    try:
        return _describe(path, data)
    except Truncated as error:
        raise UsageError(
            f"`{path}` is cut short: {error}", code="WasmTruncated", hint="build or download it again"
        ) from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise UsageError(
            f"there is no file `{path}`",
            code="ModuleNotFound",
            hint="paths in the file are relative to the file itself; build the module first",
        ) from error
    except IsADirectoryError as error:
        raise UsageError(f"`{path}` is a folder, not a WebAssembly file", code="NotWasm") from error
    except OSError as error:
        raise UsageError(f"`{path}` cannot be read: {error.strerror or error}", code="ModuleUnreadable") from error


def _describe(path: Path, data: bytes) -> WasmFile:
    version = data[4:8]
    if len(version) < 4:
        raise Truncated("it ends inside its header")
    if version == _MODULE_VERSION:
        imports, exports = module_names(Sections(data[8:]))
        start = "_start" in exports
    elif version == _COMPONENT_VERSION:
        imports, exports = component_names(Sections(data[8:]))
        start = any(name.startswith("wasi:cli/run@") for name in exports)
    else:
        raise UsageError(
            f"`{path}` is of an unknown WebAssembly version (bytes {version.hex(' ')})",
            code="NotWasm",
            hint="build it with a current toolchain: core modules are version 1, components version 13",
        )
    return WasmFile(
        path=path,
        kind="module" if version == _MODULE_VERSION else "component",
        wasi=_wasi(imports),
        imports=imports,
        exports=exports,
        exports_start=start,
        http_handler=any(name.startswith(_HTTP_EXPORTS) for name in exports),
        size=len(data),
    )


def _wasi(imports: tuple[str, ...]) -> Wasi | None:
    marks: tuple[tuple[str, str, Wasi], ...] = (
        ("wasi_snapshot_preview1.", "", "p1"),
        ("wasi_unstable.", "", "p0"),
        ("wasi:", "@0.3.", "p3"),
        ("wasi:", "@0.2.", "p2"),
    )
    for start, part, version in marks:
        if any(name.startswith(start) and part in name for name in imports):
            return version
    return None


def _instead(data: bytes) -> str:
    if not data:
        return "is empty"
    for start, meaning in _KNOWN_STARTS:
        if data.startswith(start):
            return meaning
    text = _text(data)
    if text is None:
        return f"starts with the bytes {data[:4].hex(' ')}"
    if text.lstrip().startswith(("(module", "(component", ";;")):
        return "is WebAssembly text (WAT)"
    if "spin_manifest_version" in text or "spin_version" in text:
        return "is a Spin manifest"
    if text.lstrip().lower().startswith(("<!doctype", "<html")):
        return "is an HTML page, perhaps of a failed download"
    if text.startswith("version https://git-lfs"):
        return "is a Git LFS pointer"
    return "is text"


_KNOWN_STARTS = (
    (b"\x7fELF", "is a Linux (ELF) program"),
    (b"MZ", "is a Windows program"),
    (b"\xcf\xfa\xed\xfe", "is a macOS program"),
    (b"\xca\xfe\xba\xbe", "is a macOS program or a Java class"),
    (b"\x1f\x8b", "is compressed with gzip"),
    (b"PK\x03\x04", "is a zip archive"),
    (b"#!", "is a script"),
)


def _hint(data: bytes) -> str:
    what = _instead(data)
    if "Spin manifest" in what:
        return "name a Spin manifest with `source`, a single .wasm file with `module`"
    if "WAT" in what:
        return "translate it first: `wasm-tools parse in.wat -o out.wasm`"
    if "Git LFS" in what:
        return "fetch the content: `git lfs pull`"
    if "gzip" in what or "zip" in what:
        return "unpack it first"
    return _BUILD_HINT


def _text(data: bytes) -> str | None:
    try:
        text = data[:_FIRST_BYTES].decode("utf-8", errors="strict" if len(data) < _FIRST_BYTES else "ignore")
    except UnicodeDecodeError:
        return None
    return text if text.isprintable() or not set(text) & set(map(chr, range(9))) else None
