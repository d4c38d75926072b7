"""The code of a recipe as text: part of its key, so that a changed recipe is built anew and its neighbours are not."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterator
from functools import cache
from types import CodeType, FunctionType
from typing import Any

PLAIN = (str, int, tuple, list, dict)


@cache
def code_of(function: Callable[..., Any]) -> str:
    """Return a function with all that it names: functions of its package and constants. Comments don't count."""
    found: dict[str, str] = {}
    _follow(function, found)
    return "\n".join(f"{name}: {text}" for name, text in sorted(found.items()))


def _follow(function: Callable[..., Any], found: dict[str, str]) -> None:
    if not isinstance(function, FunctionType) or function.__qualname__ in found:
        return
    found[function.__qualname__] = _tree(function)
    for name in _names(function.__code__):
        value = function.__globals__.get(name)
        if isinstance(value, FunctionType) and _package(value) == _package(function):
            _follow(value, found)
        elif isinstance(value, PLAIN):
            found[name] = repr(value)


def _package(function: FunctionType) -> str:
    return function.__module__.partition(".")[0]


def _tree(function: FunctionType) -> str:
    source = textwrap.dedent(inspect.getsource(function))
    try:
        return ast.dump(ast.parse(source))
    except SyntaxError:
        return source  # a lambda within a line that does not stand alone


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)
