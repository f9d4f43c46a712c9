"""Whether settings make sense: rules for their fields, told in one line where one is broken."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from janusdna_cli.errors import InputError

__all__ = [
    "Rule",
    "check",
    "enumerated",
    "many_paths",
    "number",
    "one_of",
    "option",
    "paths",
    "texts",
    "whole",
]


@dataclass(frozen=True)
class Rule:
    """What holds for the values of some fields.

    Attributes:
        fields: Their names.
        holds: Of a value, whatever it is.
        expected: The same in words.
    """

    fields: tuple[str, ...]
    holds: Callable[[Any], bool]
    expected: str


def whole(*fields: str, low: int, high: int | None = None, unit: str = "") -> Rule:
    """A whole number from `low` to `high`, None for no end."""
    limits = f"{low:,} or more" if high is None else f"{low:,} to {high:,}"

    def holds(value: Any) -> bool:
        is_whole = isinstance(value, int) and not isinstance(value, bool)
        return is_whole and low <= value and (high is None or value <= high)

    return Rule(fields, holds, f"a whole number{f' of {unit}' if unit else ''}, {limits}")


def number(*fields: str, holds: Callable[[float], bool], expected: str) -> Rule:
    """A number of which something holds; what is not a number is none."""

    def is_good(value: Any) -> bool:
        return isinstance(value, int | float) and not isinstance(value, bool) and holds(value)

    return Rule(fields, is_good, expected)


def one_of(*fields: str, choices: Collection[str]) -> Rule:
    """One of some names."""
    return Rule(fields, lambda value: value in choices, " or ".join(choices))


def check(settings: Any, *rules: Rule) -> None:
    """Whether the rules hold for a dataclass; None is good where it is the field's default.

    Raises:
        InputError: If one does not, with the field, its value and what was expected.
    """
    defaults = {field.name: field.default for field in dataclasses.fields(settings)}
    for rule in rules:
        for name in rule.fields:
            value = getattr(settings, name)
            missing = value is None and defaults[name] is None
            if not missing and not rule.holds(value):
                raise InputError(f"{option(name)}: found {value!r}, expected {rule.expected}")


def option(field: str) -> str:
    """A field as the command line calls it."""
    return "--" + field.replace("_", "-")


def texts(settings: Any, *fields: str) -> None:
    """Turn texts of a frozen dataclass, one or several, into tuples.

    Raises:
        InputError: If one is something else.
    """
    for name in fields:
        value = getattr(settings, name)
        found = (value,) if isinstance(value, str) else value
        if not isinstance(found, list | tuple) or not all(isinstance(each, str) for each in found):
            raise InputError(f"{option(name)}: found {value!r}, expected names")
        object.__setattr__(settings, name, tuple(found))


def paths(settings: Any, *fields: str) -> None:
    """Turn paths of a frozen dataclass, whatever their class, into strings.

    Raises:
        InputError: If one is no path.
    """
    for name in fields:
        value = getattr(settings, name)
        if value is None or isinstance(value, str):
            continue
        try:
            object.__setattr__(settings, name, os.fsdecode(os.fspath(value)))
        except TypeError:
            raise InputError(f"{option(name)}: found {value!r}, expected a path") from None


def many_paths(settings: Any, *fields: str, fewest: int = 1) -> None:
    """Turn paths of a frozen dataclass, one or several, into tuples of strings.

    Raises:
        InputError: If one is no path, or there are too few.
    """
    for name in fields:
        value = getattr(settings, name)
        found = tuple(value) if isinstance(value, list | tuple) else (value,)
        try:
            object.__setattr__(settings, name, tuple(os.fsdecode(os.fspath(each)) for each in found))
        except TypeError:
            raise InputError(f"{option(name)}: found {value!r}, expected a path or several") from None
        if len(found) < fewest:
            raise InputError(f"{option(name)}: found none, expected one or more")


def enumerated(settings: Any, field: str, members: Collection[StrEnum]) -> None:
    """Turn the name of a member, in a frozen dataclass, into the member.

    Args:
        settings: The dataclass.
        field: Of it.
        members: Of one enumeration, those that are good.

    Raises:
        InputError: If there is none of that name.
    """
    check(settings, one_of(field, choices=members))
    value = getattr(settings, field)
    if value is not None:
        kind = type(next(iter(members)))
        object.__setattr__(settings, field, kind(value))
