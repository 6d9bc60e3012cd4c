"""Joins the files: what one imports of another, and what its functions return.

What is left in a resolved expression are texts, holes, choices, and parameters of functions whose
callers are not known yet; these are named by file and function.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from d1_preflight.code.expression import (
    EMPTY,
    Bound,
    Choice,
    Each,
    Expression,
    Fields,
    Function,
    Hole,
    Import,
    Items,
    Join,
    Joined,
    Mapped,
    Maybe,
    Member,
    Parameter,
    Result,
    Text,
    choice,
    join,
    member,
    parts_of,
)
from d1_preflight.code.facts import FileFacts

_DEPTH = 40
_MOST_STEPS = 20_000  # of one query
_SEPARATOR = "\0"
Bindings = Mapping[tuple[str, int], Expression]
"""What the parameters of functions are given, by the function's whole id and the place."""


def whole_id(path: str, function: str) -> str:
    """The id of a function among all files."""
    return function if _SEPARATOR in function else f"{path}{_SEPARATOR}{function}"


@dataclass(slots=True)
class Linker:
    """The files of one code; `find` says which file a specifier means in another, "" for none.

    `text` gives the text of an imported `.sql` file, `returned` what a function of a file returns.
    What it looks at in other files rests on these, which it adds to `touched`.
    """

    files: Mapping[str, FileFacts]
    find: Callable[[str, str], str]
    text: Callable[[str], str]
    returned: Callable[[str, str], Expression | None]
    touched: set[str] = field(default_factory=set)
    _steps: int = 0
    _open: set[str] = field(default_factory=set)

    def query(self, found: Expression, path: str, bindings: Bindings | None = None) -> Expression:
        """Resolve one query's expression, within a bound of its own."""
        self._steps = 0
        return self._resolve(found, path, bindings or {}, 0)

    def function(self, found: Expression | None, path: str) -> str:
        """The whole id of the function that an expression names; "" for none."""
        for _ in range(_DEPTH):
            match found:
                case Function(id_):
                    return whole_id(path, id_)
                case Import(specifier, name):
                    path, found = self._imported(specifier, name, path)
                case Member(Import() as of, name):
                    path, value = self._imported(of.specifier, of.name, path)
                    found = member(value, name)
                case _:
                    return ""
        return ""

    def callees(self, found: Expression, path: str) -> Iterator[tuple[str, tuple[Expression, ...]]]:
        """The functions that an expression can name, each with what `bind` gave it before."""
        waiting: list[tuple[str, Expression, tuple[Expression, ...]]] = [(path, found, ())]
        for where_, one, before in waiting:  # it grows
            if len(waiting) > _DEPTH:
                return
            for where, value in self._values(one, where_, 0):
                if isinstance(value, Function):
                    yield whole_id(where, value.id), before
                elif isinstance(value, Bound):
                    given = tuple(self.query(one, where) for one in value.arguments)
                    waiting.append((where, value.function, (*given, *before)))

    def contained(self, found: Expression, path: str) -> frozenset[str]:
        """The functions that an expression can name, or an object that it names can hold."""
        seen, ids = {(path, found)}, set[str]()
        waiting = [(path, found)]
        while waiting:
            path, found = waiting.pop()
            for where, value in self._values(found, path, 0):
                ids |= {whole_id(where, value.id)} if isinstance(value, Function) else set()
                fresh = {(where, part) for part in parts_of(value)} - seen
                seen |= fresh
                waiting += fresh
        return frozenset(ids)

    def _values(self, found: Expression, path: str, depth: int) -> Iterator[tuple[str, Expression]]:
        """What an expression leads to, each with the file that holds it."""
        if depth > _DEPTH:
            return
        match found:
            case Import(specifier, "*"):
                target = self.find(path, specifier)
                facts = self.files.get(target) if target else None
                if facts is not None:
                    self.touched.add(target)
                    yield target, Fields(tuple(facts.exports), tuple(facts.exports.values()))
            case Import(specifier, name):
                target, value = self._imported(specifier, name, path)
                if target:
                    yield from self._values(value, target, depth + 1)
            case Member(Import(specifier, "*"), name):
                yield from self._values(Import(specifier, name), path, depth + 1)
            case Member(of, name):
                for where, whole in self._values(of, path, depth + 1):
                    if isinstance(whole, Fields | Items):
                        yield from self._values(member(whole, name), where, depth + 1)
            case Choice(options):
                for option in options:
                    yield from self._values(option, path, depth + 1)
            case Maybe(part):
                yield from self._values(part, path, depth + 1)
            case _:
                yield path, found

    def _resolve(self, found: Expression, path: str, bound: Bindings, depth: int) -> Expression:
        self._steps += 1
        if depth > _DEPTH or self._steps > _MOST_STEPS:
            return Hole("")

        def inner(one: Expression) -> Expression:
            return self._resolve(one, path, bound, depth + 1)

        match found:
            case Parameter(function, place, name):
                id_ = whole_id(path, function)
                return bound.get((id_, place), Parameter(id_, place, name))
            case Import(specifier, name):
                target, value = self._imported(specifier, name, path)
                return self._resolve(value, target, {}, depth + 1) if target else value
            case Fields(keys, values):
                return Fields(keys, tuple(map(inner, values)))
            case Mapped(items):
                return self._mapped(found, inner(items), path, bound, depth)
            case Member(Import(specifier, "*"), name):
                return inner(Import(specifier, name))
            case Member(of, name):
                return member(inner(of), name)
            case Result(function_, arguments):
                return self._result(function_, tuple(map(inner, arguments)), path, depth)
        return _of_parts(found, inner)

    def _mapped(
        self, found: Mapped, items: Expression, path: str, bound: Bindings, depth: int
    ) -> Expression:
        known = items.items if isinstance(items, Items) else (Hole("item"),)
        key = (whole_id(path, found.function), 0)

        def made(item: Expression) -> Expression:
            given = item.part if isinstance(item, Maybe) else item
            text = self._resolve(found.body, path, {**bound, key: given}, depth + 1)
            return Maybe(text) if isinstance(item, Maybe) else text

        return Items(tuple(map(made, known)))

    def _result(
        self, function: Expression, arguments: Sequence[Expression], path: str, depth: int
    ) -> Expression:
        id_ = self.function(function, path)
        target, _, local = id_.partition(_SEPARATOR)
        self.touched.add(target)
        returned = self.returned(target, local) if id_ and id_ not in self._open else None
        if returned is None:
            return Hole("")
        bound = {(id_, place): value for place, value in enumerate(arguments)}
        self._open.add(id_)
        try:
            made = self._resolve(returned, target, bound, depth + 1)
        finally:
            self._open.discard(id_)
        return without_parameters(made, id_)

    def _imported(self, specifier: str, name: str, path: str) -> tuple[str, Expression]:
        """The file that holds what is imported, and what that is there."""
        seen: set[tuple[str, str]] = set()
        waiting = [(specifier, name, path)]
        while waiting:
            specifier, name, path = waiting.pop()
            target = self.find(path, specifier)
            if not target or (target, name) in seen:
                continue
            seen.add((target, name))
            self.touched.add(target)
            if target.endswith(".sql"):
                return target, Text(self.text(target))
            facts = self.files.get(target)
            if facts is None:
                continue
            value = facts.exports.get(name)
            if isinstance(value, Import):
                waiting.append((value.specifier, value.name, target))
            elif value is not None:
                return target, value
            else:
                waiting += [(other, name, target) for other in facts.again]
        return "", Hole(name)


def without_parameters(found: Expression, function: str) -> Expression:
    """The expression with the parameters of a function as holes: nobody gives them."""

    def inner(one: Expression) -> Expression:
        return without_parameters(one, function)

    match found:
        case Parameter(id_, _, name):
            return Hole(name) if id_ == function else found
        case Member(of, name):
            return Hole(name) if inner(of) != of else found
    return _of_parts(found, inner)


def _of_parts(found: Expression, inner: Callable[[Expression], Expression]) -> Expression:
    """A text or a list of what its parts become; anything else as it is."""
    match found:
        case Join(parts):
            return join([inner(part) for part in parts])
        case Choice(options):
            return choice([inner(option) for option in options])
        case Items(items):
            return Items(tuple(map(inner, items)))
        case Maybe(part):
            return Maybe(inner(part))
        case Joined(items, separator):
            return _joined(inner(items), separator)
        case Each(items):
            return _any_of(inner(items))
    return found


def _joined(items: Expression, separator: str) -> Expression:
    """The items of a list in one, where they are known."""
    if isinstance(items, Choice):
        return choice([_joined(option, separator) for option in items.options])
    is_kept = isinstance(items, Items | Parameter | Member)
    return Joined(items, separator) if is_kept else Hole("list")


def _any_of(items: Expression) -> Expression:
    match items:
        case Items(items_):
            found = [item.part if isinstance(item, Maybe) else item for item in items_]
            return choice(found) if found else Hole("")
        case Fields(_, values):
            return choice(values) if values else Hole("")
        case Parameter() | Member():
            return Each(items)
        case Choice(options):
            return choice([_any_of(option) for option in options])
    return EMPTY if items == EMPTY else Hole("")
