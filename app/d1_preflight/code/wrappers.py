"""Follows queries through the functions of the project: a wrapper's callers give their text.

A function whose parameter reaches a database is a wrapper. What comes through one that nobody
calls keeps a hole where the parameter stands.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from d1_preflight.code.expression import (
    Expression,
    Hole,
    Member,
    Parameter,
    Text,
    begins_like_sql,
    first_of,
    within,
)
from d1_preflight.code.extraction import DIRECT
from d1_preflight.code.facts import Call, Named, Sink
from d1_preflight.code.linked import Linked
from d1_preflight.code.linking import Linker, without_parameters
from d1_preflight.code.wrapper_names import WrapperNames

_DEPTH = 5
_MOST_QUERIES = 50_000


@dataclass(frozen=True, slots=True)
class Query:
    """One query, resolved as far as can be: `path` and `line` are where its text stands.

    `depth` is through how many wrappers it came; `bound` are the texts that it is given for its
    parameters, None for what is no text of the source.
    """

    path: str
    line: int
    method: str
    sql: Expression
    depth: int = 0
    bound: tuple[str | None, ...] = ()


class Wrappers:
    """Collects queries; knows which calls it still needs to see."""

    def __init__(
        self, linker: Linker, linked: Linked, named: Sequence[str], names: WrapperNames
    ) -> None:
        self._linker = linker
        self._linked = linked
        self._named = frozenset(name.rpartition(".")[2] for name in named)
        self._found: list[Query] = []
        self._waiting: list[tuple[str, Query]] = []
        self._called: set[str] = set()
        self._held: dict[Query, frozenset[str]] = {}
        self._calls: dict[str, dict[tuple[str, Call], None]] = defaultdict(dict)
        self._known: set[str] = set()
        self._names = names

    def add_sinks(self, path: str, sinks: tuple[Sink, ...]) -> None:
        """Take the queries of one file."""
        touched = self._linker.touched
        for query in self._linked.once(path, (sinks,), touched, lambda: self._own(path, sinks)):
            self._add(query)

    def _own(self, path: str, sinks: Iterable[Sink]) -> Iterator[Query]:
        for sink in sinks:
            sql = self._linker.query(sink.sql, path)
            bound = tuple(self._bound_text(one, path) for one in sink.bound)
            yield Query(path, sink.line, sink.method, sql, bound=bound)

    @property
    def is_done(self) -> bool:
        """Whether no query waits for calls."""
        return not self._waiting

    def names(self) -> frozenset[str]:
        """The names of functions whose calls were not seen yet."""
        names = self._named.union(*(self._names.of(id_) for id_, _ in self._waiting))
        return frozenset(names - self._known - {""})

    def own(self) -> Mapping[str, frozenset[str]]:
        """The names of such functions that only one file knows, by that file."""
        return self._names.own(id_ for id_, _ in self._waiting)

    def add_named(self, names: Iterable[str], named: Mapping[str, Named]) -> None:
        """Take all calls and uses of functions with these names, by file, and follow them."""
        self._known |= set(names)
        for path, (calls, uses) in named.items():
            self._names.add_uses(path, uses)
            for call in calls:
                self._calls[call.name][path, call] = None
                if call.name in self._named:
                    self._take_named(path, call)
        self._follow()

    def queries(self) -> tuple[Query, ...]:
        """All queries: what was followed, and once what nobody calls or what goes out of sight."""
        self._follow()
        pending = {query for _, query in self._waiting}
        held: list[Query] = []
        for query, owners in self._held.items():
            lost = [place for owner in sorted(owners) for place in self._names.lost(owner)]
            is_cut = query in pending or query.depth >= _DEPTH
            if not owners & self._called or is_cut:
                held.append(query)
            elif lost:
                held.append(replace(query, path=lost[0][0], line=lost[0][1]))
        return (*dict.fromkeys(self._found), *held)

    def _follow(self) -> None:
        while True:
            ready = [pair for pair in self._waiting if self._is_ready(pair[0])]
            if not ready or len(self._found) > _MOST_QUERIES:
                return
            self._waiting = [pair for pair in self._waiting if pair not in ready]
            for wrapper, query in ready:
                for path, call in self._calls_of(wrapper):
                    if self._means(call, path, wrapper, query):
                        self._called.add(wrapper)
                        self._through(wrapper, query, path, call)

    def _is_ready(self, wrapper: str) -> bool:
        """Whether all calls of a wrapper were seen."""
        return self._names.is_told(wrapper) and self._names.of(wrapper) <= self._known

    def _bound_text(self, given: Expression, path: str) -> str | None:
        """The text that a parameter of a query is given; None for what only runs know."""
        of = given
        while isinstance(of, Member):
            of = of.of
        if isinstance(of, Hole | Parameter):
            return None
        found = self._linker.query(given, path)
        return found.text if isinstance(found, Text) else None

    def _take_named(self, path: str, call: Call) -> None:
        for argument in call.arguments:
            sql = self._linker.query(argument, path)
            if begins_like_sql(first_text(sql)):
                self._add(Query(path, call.line, call.name, sql))
                return

    def _add(self, query: Query) -> None:
        owners = frozenset(parameter.function for parameter in _parameters(query.sql))
        if any(self._names.name(owner) in DIRECT for owner in owners):
            return  # a database of the project's own make: who calls it is a query by itself
        if not owners:
            self._found.append(query)
        elif query not in self._held:
            self._held[query] = owners
            if query.depth < _DEPTH:
                self._waiting += [(owner, query) for owner in sorted(owners)]

    def _means(self, call: Call, path: str, wrapper: str, query: Query) -> bool:
        """Whether a call is of this wrapper: by what it names, by the name, or by its text."""
        if call.target is not None:
            return any(id_ == wrapper for id_, _ in self._linker.callees(call.target, path))
        if not call.arguments:
            return False
        if self._names.is_method(call.name, path, wrapper):
            return True
        if call.name in DIRECT or first_text(query.sql).strip():
            return False
        given = [
            one for place, one in enumerate(call.arguments) if place in _places_of(query, wrapper)
        ]
        texts = (first_text(self._linker.query(one, path)) for one in given)
        return any(map(begins_like_sql, texts))

    def _through(self, wrapper: str, query: Query, path: str, call: Call) -> None:
        name = f"{wrapper}{path}"
        touched = self._linker.touched
        for found in self._linked.once(
            name, (query, call), touched, lambda: [self._given(wrapper, query, path, call)]
        ):
            self._add(found)

    def _given(self, wrapper: str, query: Query, path: str, call: Call) -> Query:
        """The query with what one call of the wrapper gives it."""
        places, before = _places_of(query, wrapper), self._before(call, path, wrapper)
        bound = {
            (wrapper, place): self._linker.query(given, path)
            for place, given in enumerate((*before, *call.arguments))
            if place in places
        }
        sql = without_parameters(self._linker.query(query.sql, query.path, bound), wrapper)
        at_call = not first_text(query.sql).strip()
        place = (path, call.line) if at_call else (query.path, query.line)
        return Query(*place, query.method, sql, query.depth + 1)

    def _before(self, call: Call, path: str, wrapper: str) -> tuple[Expression, ...]:
        """What `bind` gave the wrapper before this call."""
        callees = self._linker.callees(call.target, path) if call.target is not None else ()
        return next((before for id_, before in callees if id_ == wrapper), ())

    def _calls_of(self, wrapper: str) -> Iterator[tuple[str, Call]]:
        for name in sorted(self._names.called_by(wrapper)):
            yield from self._calls.get(name, ())


def _parameters(sql: Expression) -> Iterator[Parameter]:
    return (part for part in within(sql) if isinstance(part, Parameter))


def _places_of(query: Query, wrapper: str) -> frozenset[int]:
    """Which of a wrapper's parameters stand in a query."""
    return frozenset(one.place for one in _parameters(query.sql) if one.function == wrapper)


def first_text(sql: Expression) -> str:
    """The text with which a query begins, as far as it is known."""
    first = first_of(sql)
    return first.text if isinstance(first, Text) else ""
