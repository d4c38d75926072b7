"""The WebAssembly binary format, as far as the names of imports and exports need it.

Sources: core specification 2.0 chapter 5 (modules); component-model/design/mvp/Binary.md (components).
"""

from __future__ import annotations

from collections.abc import Iterator

_IMPORTS, _EXPORTS = 2, 7
_COMPONENT_IMPORTS, _COMPONENT_EXPORTS = 10, 11
_REFERENCE_WITH_HEAP_TYPE = (0x63, 0x64)
_CORE_SORT = 0x00
_HAS_VERSION_SUFFIX = 0x02


class Truncated(Exception):
    """The bytes end, or stop making sense, before the format says so."""


class Reader:
    """A position in some bytes."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def ended(self) -> bool:
        """Whether everything was read."""
        return self._at >= len(self._data)

    def byte(self) -> int:
        """Read one byte."""
        return self.take(1)[0]

    def take(self, count: int) -> bytes:
        """Read `count` bytes."""
        end = self._at + count
        if end > len(self._data):
            raise Truncated(f"{end - len(self._data)} bytes are missing")
        piece = self._data[self._at : end]
        self._at = end
        return piece

    def number(self) -> int:
        """Read an unsigned LEB128 number."""
        value = shift = 0
        while True:
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7
            if shift > 63:
                raise Truncated("a number is longer than 64 bits")

    def name(self) -> str:
        """Read a UTF-8 string with its length in front."""
        try:
            return self.take(self.number()).decode()
        except UnicodeDecodeError as error:
            raise Truncated("a name is not UTF-8") from error


class Sections:
    """The sections after the eight bytes of a header."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def __iter__(self) -> Iterator[tuple[int, Reader]]:
        """Yield each section's number and content."""
        reader = Reader(self._data)
        while not reader.ended:
            number = reader.byte()
            size = reader.number()
            try:
                content = reader.take(size)
            except Truncated as error:
                raise Truncated(f"section {number} should have {size} bytes, {error}") from error
            yield number, Reader(content)


def module_names(sections: Sections) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return a core module's imports as `module.name`, and its exports."""
    imports: list[str] = []
    exports: list[str] = []
    for number, reader in sections:
        if number == _IMPORTS:
            for _ in range(reader.number()):
                imports.append(f"{reader.name()}.{reader.name()}")
                _skip_core_import(reader)
        elif number == _EXPORTS:
            for _ in range(reader.number()):
                exports.append(reader.name())
                reader.byte()
                reader.number()
    return tuple(imports), tuple(exports)


def _skip_core_import(reader: Reader) -> None:
    match reader.byte():
        case 0x00:  # function: type index
            reader.number()
        case 0x01:  # table: reference type, limits
            _skip_value_type(reader)
            _skip_limits(reader)
        case 0x02:  # memory: limits
            _skip_limits(reader)
        case 0x03:  # global: value type, mutability
            _skip_value_type(reader)
            reader.byte()
        case 0x04:  # tag: attribute, type index
            reader.byte()
            reader.number()
        case kind:
            raise Truncated(f"an import is of unknown kind {kind}")


def _skip_value_type(reader: Reader) -> None:
    if reader.byte() in _REFERENCE_WITH_HEAP_TYPE:
        reader.number()


def _skip_limits(reader: Reader) -> None:
    flags = reader.byte()
    reader.number()
    if flags & 0x01:
        reader.number()
    if flags & 0x08:  # custom page size
        reader.number()


def component_names(sections: Sections) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the names of a component's own imports and exports; what is nested in it does not count."""
    imports: list[str] = []
    exports: list[str] = []
    for number, reader in sections:
        if number == _COMPONENT_IMPORTS:
            for _ in range(reader.number()):
                imports.append(_extern_name(reader))
                _skip_extern_type(reader)
        elif number == _COMPONENT_EXPORTS:
            for _ in range(reader.number()):
                exports.append(_extern_name(reader))
                if reader.byte() == _CORE_SORT:
                    reader.byte()
                reader.number()
                if reader.byte():
                    _skip_extern_type(reader)
    return tuple(imports), tuple(exports)


def _extern_name(reader: Reader) -> str:
    form = reader.byte()
    name = reader.name()
    if form == _HAS_VERSION_SUFFIX:
        for _ in range(reader.number()):
            reader.byte()
            reader.name()
    return name


def _skip_extern_type(reader: Reader) -> None:
    match reader.byte():
        case 0x00:  # core module: sort, type index
            reader.byte()
            reader.number()
        case 0x01 | 0x04 | 0x05:  # function, component, instance: type index
            reader.number()
        case 0x02:  # value: equal to an index, or a type
            reader.byte()
            reader.number()
        case 0x03:  # type: equal to an index, or a new resource
            if reader.byte() == 0x00:
                reader.number()
        case kind:
            raise Truncated(f"an import or export is of unknown kind {kind}")
