"""Follows queries through the functions of the project: a wrapper's callers give their text.

A function whose parameter reaches a database is a wrapper. What comes through one that nobody
calls keeps a hole where the parameter stands.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from d1_preflight.code.expression import (
    Choice,
    Expression,
    Function,
    Hole,
    Join,
    Member,
    Parameter,
    Text,
    within,
)
from d1_preflight.code.extraction import DIRECT, begins_like_sql
from d1_preflight.code.facts import Call, Sink
from d1_preflight.code.linked import Linked
from d1_preflight.code.linking import Linker, without_parameters

_DEPTH = 5
Renamed = tuple[str, str, str]
"""A file, the name that it gives something, and the specifier of where it has that from."""
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
    """Collects queries; knows which calls it still needs to see.

    `imports` says whether a file imports another: a method is called by name alone, and one of
    the same name in a file that knows nothing of the wrapper is another's.
    """

    def __init__(
        self,
        linker: Linker,
        linked: Linked,
        named: Sequence[str],
        imports: Callable[[str, str], bool],
        renames: Mapping[str, Sequence[Renamed]],
    ) -> None:
        self._linker = linker
        self._linked = linked
        self._named = frozenset(name.rpartition(".")[2] for name in named)
        self._imports = imports
        self._renames = renames
        self._names: dict[str, frozenset[str]] = {}
        self._found: list[Query] = []
        self._waiting: list[tuple[str, Query]] = []
        self._called: set[str] = set()
        self._held: dict[Query, frozenset[str]] = {}
        self._calls: dict[str, list[tuple[str, Call]]] = defaultdict(list)
        self._known: set[str] = set()

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

    def names(self) -> frozenset[str]:
        """The names of functions whose calls were not seen yet."""
        names = self._named.union(*(self._names_of(id_) for id_, _ in self._waiting))
        return frozenset(names - self._known - {""})

    def add_calls(self, names: Iterable[str], calls: Mapping[str, Sequence[Call]]) -> None:
        """Take all calls of functions with these names, by file, and follow them."""
        self._known |= set(names)
        for path, found in calls.items():
            for call in found:
                self._calls[call.name].append((path, call))
                if call.name in self._named:
                    self._take_named(path, call)
        self._follow()

    def queries(self) -> tuple[Query, ...]:
        """All queries."""
        self._follow()
        uncalled = (q for q, owners in self._held.items() if not owners & self._called)
        return (*dict.fromkeys(self._found), *uncalled)

    def _follow(self) -> None:
        while True:
            ready = [pair for pair in self._waiting if self._names_of(pair[0]) <= self._known]
            if not ready or len(self._found) > _MOST_QUERIES:
                return
            self._waiting = [p for p in self._waiting if not self._names_of(p[0]) <= self._known]
            for wrapper, query in ready:
                for path, call in self._calls_of(wrapper):
                    if self._means(call, path, wrapper):
                        self._called.add(wrapper)
                        self._through(wrapper, query, path, call)

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
        if any(self._name(owner) in DIRECT for owner in owners):
            return  # a database of the project's own make: who calls it is a query by itself
        if not owners:
            self._found.append(query)
        elif query not in self._held:
            self._held[query] = owners
            if query.depth < _DEPTH:
                self._waiting += [(owner, query) for owner in sorted(owners)]

    def _means(self, call: Call, path: str, wrapper: str) -> bool:
        """Whether a call is of this wrapper, by what it names or by the method's name."""
        if call.target is not None:
            return self._linker.function(call.target, path) == wrapper
        home, _, id_ = wrapper.partition("\0")
        if not call.arguments or id_ not in self._linker.files[home].methods:
            return False
        return home == path or self._imports(path, home)

    def _through(self, wrapper: str, query: Query, path: str, call: Call) -> None:
        name = f"{wrapper}{path}"
        touched = self._linker.touched
        for found in self._linked.once(
            name, (query, call), touched, lambda: [self._given(wrapper, query, path, call)]
        ):
            self._add(found)

    def _given(self, wrapper: str, query: Query, path: str, call: Call) -> Query:
        """The query with what one call of the wrapper gives it."""
        places = frozenset(_places(query.sql, wrapper))
        bound = {
            (wrapper, place): self._linker.query(given, path)
            for place, given in enumerate(call.arguments)
            if place in places
        }
        sql = without_parameters(self._linker.query(query.sql, query.path, bound), wrapper)
        at_call = not first_text(query.sql).strip()
        place = (path, call.line) if at_call else (query.path, query.line)
        return Query(*place, query.method, sql, query.depth + 1)

    def _calls_of(self, wrapper: str) -> Iterator[tuple[str, Call]]:
        for name in sorted(self._names_of(wrapper)):
            yield from self._calls.get(name, ())

    def _names_of(self, wrapper: str) -> frozenset[str]:
        """The names under which files know a wrapper: its own, and what imports make of it."""
        if wrapper not in self._names:
            home, _, id_ = wrapper.partition("\0")
            own = self._name(wrapper)
            exported = [
                n for n, v in self._linker.files[home].exports.items() if v == Function(id_)
            ]
            waiting = [own, *exported] if own else []
            for name in waiting:
                for path, local, of in self._renames.get(name, ()):
                    is_its = name != "default" or self._linker.find(path, of) == home
                    if is_its and local not in waiting:
                        waiting.append(local)
            self._names[wrapper] = frozenset(waiting) - {"default"}
        return self._names[wrapper]

    def _name(self, wrapper: str) -> str:
        path, _, id_ = wrapper.partition("\0")
        facts = self._linker.files.get(path)
        return facts.functions.get(id_, "") if facts else ""


def _parameters(sql: Expression) -> Iterator[Parameter]:
    return (part for part in within(sql) if isinstance(part, Parameter))


def _places(sql: Expression, wrapper: str) -> Iterator[int]:
    """Which of a wrapper's parameters stand in a query."""
    return (found.place for found in _parameters(sql) if found.function == wrapper)


def first_text(sql: Expression) -> str:
    """The text with which a query begins, as far as it is known."""
    first: Expression | None = sql
    while isinstance(first, Join | Choice):
        inner = first.parts if isinstance(first, Join) else first.options
        first = next((part for part in inner if part != Hole("")), None)
    return first.text if isinstance(first, Text) else ""
