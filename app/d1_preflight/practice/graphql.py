"""Reads the part of GraphQL that analytics queries use: one query, arguments, nested fields."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from d1_preflight.core.errors import PreflightError

_TOKEN = re.compile(r'\s+|,|#[^\n]*|(?P<token>"(?:\\.|[^"\\])*"|[$]?\w+|-?\d+|[{}()\[\]:!=@])')
MAX_DEPTH = 20


class QueryUnreadable(PreflightError):
    """The text is not a query that the stand-in understands."""


@dataclass(frozen=True, slots=True)
class Field:
    """One asked field: `key` is its name in the answer."""

    key: str
    name: str
    arguments: Mapping[str, object]
    fields: tuple["Field", ...]


def parse(text: str, variables: Mapping[str, object]) -> tuple[Field, ...]:
    """The fields of the query, with the variables put in."""
    return _Reader(_tokens(text), variables).query()


def select(value: object, fields: tuple[Field, ...], path: str = "") -> object:
    """Cut a value down to what was asked for; a field that is not there is an error."""
    if isinstance(value, list):
        return [select(item, fields, path) for item in value]
    if not fields:
        return value
    if not isinstance(value, Mapping):
        raise QueryUnreadable(f"{path or 'query'} has no fields")
    chosen: dict[str, object] = {}
    for field in fields:
        if field.name not in value:
            raise QueryUnreadable(f'unknown field "{field.name}" in {path or "query"}')
        chosen[field.key] = select(value[field.name], field.fields, field.name)
    return chosen


def _tokens(text: str) -> list[str]:
    found, place = [], 0
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            raise QueryUnreadable(f"syntax error at {place}")
        place = match.end()
        if match["token"]:
            found.append(match["token"])
    return found


class _Reader:
    """A cursor over the tokens; each method reads one thing and moves on."""

    def __init__(self, tokens: list[str], variables: Mapping[str, object]) -> None:
        self._tokens, self._variables, self._place = tokens, variables, 0

    def query(self) -> tuple[Field, ...]:
        while self._peek() != "{":  # `query name($a: Type!)`: the types are not checked
            self._next()
        return self._fields(0)

    def _fields(self, depth: int) -> tuple[Field, ...]:
        if depth > MAX_DEPTH:
            raise QueryUnreadable("nested too deeply")
        self._expect("{")
        fields = []
        while self._peek() != "}":
            fields.append(self._field(depth))
        self._expect("}")
        return tuple(fields)

    def _field(self, depth: int) -> Field:
        key = name = self._next()
        if self._peek() == ":":
            self._expect(":")
            name = self._next()
        arguments = self._pairs("(", ")", depth) if self._peek() == "(" else {}
        fields = self._fields(depth + 1) if self._peek() == "{" else ()
        return Field(key, name, arguments, fields)

    def _pairs(self, opening: str, closing: str, depth: int) -> dict[str, object]:
        if depth > MAX_DEPTH:
            raise QueryUnreadable("nested too deeply")
        self._expect(opening)
        pairs = {}
        while self._peek() != closing:
            name = self._next()
            self._expect(":")
            pairs[name] = self._value(depth + 1)
        self._expect(closing)
        return pairs

    def _value(self, depth: int) -> object:
        match self._peek():
            case "{":
                return self._pairs("{", "}", depth)
            case "[":
                self._expect("[")
                items = []
                while self._peek() != "]":
                    items.append(self._value(depth + 1))
                self._expect("]")
                return items
        token = self._next()
        if token.startswith("$"):
            return self._variables.get(token[1:])
        if token.startswith('"') or token.lstrip("-").isdigit() or token in ("true", "false"):
            return json.loads(token)
        return token  # a name of an enumeration

    def _peek(self) -> str:
        return self._tokens[self._place] if self._place < len(self._tokens) else ""

    def _next(self) -> str:
        token = self._peek()
        if not token:
            raise QueryUnreadable("the query ends too early")
        self._place += 1
        return token

    def _expect(self, token: str) -> None:
        if self._next() != token:
            raise QueryUnreadable(f"expected {token}")
