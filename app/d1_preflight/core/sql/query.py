"""Reads with sqlglot a query that our own reader does not know: CTEs, subqueries, joins, unions.

It answers two questions: of which tables every row is in the result, and what each column of the
result holds. SQLite judges the syntax, so only an accepted query comes here. Whatever is not
positively recognised raises `NotUnderstood`; sqlglot's import is why this module is imported late.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from sqlglot import exp, parse_one
from sqlglot.errors import SqlglotError

from d1_preflight.core.sql.aggregate import AGGREGATES
from d1_preflight.core.sql.relation import Relation, reads_of_both, split_tables, unfaithful
from d1_preflight.core.sql.statement import ColumnReads
from d1_preflight.core.sql.tokenizer import Token, tokens

_SELECT = frozenset(
    ("expressions", "from_", "joins", "where", "group", "having", "order", "limit", "offset")
) | {"distinct", "with_", "windows"}
_JOIN = frozenset({"this", "on", "using", "side", "kind", "method"})
_UNION = frozenset({"this", "expression", "distinct", "order", "limit", "offset", "with_"})
_AGGREGATE_NODES = (
    *(exp.Count, exp.Sum, exp.Avg, exp.Min, exp.Max, exp.GroupConcat),
    *(exp.JSONArrayAgg, exp.JSONObjectAgg),
)
_BROKEN_PARSER = (SqlglotError, AttributeError, LookupError, TypeError, ValueError, AssertionError)


class NotUnderstood(Exception):
    """The query has a shape that is not positively recognised."""


@dataclass(frozen=True, slots=True)
class _Item:
    """One relation of a FROM, under its name; `kept` is whether the joins leave no row out."""

    name: str
    relation: Relation
    kept: bool = True


@dataclass(frozen=True, slots=True)
class _From:
    """What a FROM brings together; `merged` is whether columns of one name became one."""

    items: tuple[_Item, ...]
    has_rows: bool
    merged: bool = False


@dataclass(slots=True)
class _Ctes:
    """The common table expressions in sight, each read when it is first named."""

    nodes: Mapping[str, exp.Expr]
    outer: "_Ctes | None" = None
    known: dict[str, Relation] = field(default_factory=dict)


def read_query(text: str, columns_of: Callable[[str], tuple[str, ...]]) -> Relation:
    """Read a query; `columns_of` names the columns that `*` reads of a table or view."""
    try:
        tree = parse_one(text, dialect="sqlite")
        _check_aggregates(tree, tokens(text, limit=len(text)))
        relation = _Reader(columns_of).query(tree, None)
    except (RecursionError, *_BROKEN_PARSER) as error:
        raise NotUnderstood from error
    return relation


class _Reader:
    """Reads the nodes of one tree."""

    def __init__(self, columns_of: Callable[[str], tuple[str, ...]]) -> None:
        self._columns_of = columns_of

    def query(self, node: exp.Expr, ctes: _Ctes | None) -> Relation:
        """A SELECT, a compound of them, or VALUES."""
        ctes = _ctes_of(node, ctes)
        match node:
            case exp.Select():
                return self._select(node, ctes)
            case exp.Union() | exp.Except() | exp.Intersect():
                return self._compound(node, ctes)
            case exp.Values():
                width = len(node.expressions[0].expressions)
                unnamed = tuple((f"column{n + 1}", ColumnReads()) for n in range(width))
                adds = len(node.expressions) > 1
                return Relation(frozenset(), unnamed, has_rows=True, adds=adds)
        raise NotUnderstood

    def _compound(self, node: exp.SetOperation, ctes: _Ctes | None) -> Relation:
        _require(node, _UNION)
        left, right = self.query(node.this, ctes), self.query(node.expression, ctes)
        # SQLite's compounds lean to the left; a tree that leans otherwise is another query.
        if isinstance(node.expression, exp.SetOperation) or len(left.columns) != len(right.columns):
            raise NotUnderstood
        split = split_tables(left, right)
        columns = tuple(
            (name, reads_of_both(first, second, split))
            for (name, first), (_, second) in zip(left.columns, right.columns, strict=True)
        )
        has_rows = left.has_rows or right.has_rows
        both = Relation(left.kept | right.kept, columns, has_rows, adds=True)
        everything = isinstance(node, exp.Union) and node.args.get("distinct") is False
        return both if everything and not _cut_off(node) else both.degraded()

    def _select(self, node: exp.Select, ctes: _Ctes | None) -> Relation:
        _require(node, _SELECT)
        source = self._from(node, ctes)
        scopes = ((source, ctes),)
        columns = tuple(pair for each in node.expressions for pair in self._outputs(each, scopes))
        # Whether it makes one row of many, as far as it does so without GROUP BY.
        is_aggregate = any(self._belongs(call, node, ctes) for call in _aggregates(node))
        narrowed = [node.args.get(key) for key in ("group", "having", "distinct")]
        where = node.args.get("where")
        filtered = (where is not None and not _always(where.this)) or _cut_off(node)
        kept = frozenset(
            table for item in source.items if item.kept for table in item.relation.kept
        )
        if is_aggregate and not any(narrowed):
            return Relation(kept, columns).degraded(has_rows=not _cut_off(node))
        has_rows = source.has_rows and not filtered and not node.args.get("having")
        adds = any(item.relation.adds for item in source.items)
        whole = Relation(kept, columns, has_rows, adds)
        return whole.degraded(has_rows=has_rows) if filtered or any(narrowed) else whole

    def _from(self, node: exp.Select, ctes: _Ctes | None) -> _From:
        first = node.args.get("from_")
        if first is None:
            return _From((), has_rows=True)
        return self._joined(self._source(first.this, ctes), node.args.get("joins"), ctes)

    def _joined(self, source: _From, joins: Iterable[exp.Join] | None, ctes: _Ctes | None) -> _From:
        for join in joins or ():
            source = _join(source, self._source(join.this, ctes), join)
        return source

    def _source(self, node: exp.Expr, ctes: _Ctes | None) -> _From:
        """One operand of a FROM: a table, a subquery, or a join in parentheses."""
        match node:
            case exp.Table(this=exp.Identifier()):
                _require(node, {"this", "alias", "db", "joins"})
                found = self._named(node.name.lower(), ctes if not node.db else None)
                item = _Item((node.alias or node.name).lower(), found)
                alone = _From((item,), found.has_rows)
                return self._joined(alone, node.args.get("joins"), ctes)
            case exp.Table(this=exp.Anonymous() as call):
                _require(node, {"this", "alias"})
                reads = _by_name(*_columns(call))
                columns = tuple((name.lower(), reads) for name in self._columns_of(call.name))
                item = _Item((node.alias or call.name).lower(), Relation(frozenset(), columns))
                return _From((item,), has_rows=False)
            case exp.Subquery(this=exp.Table() | exp.Subquery()) if not node.alias:
                _require(node, {"this", "joins"})
                return self._joined(self._source(node.this, ctes), node.args.get("joins"), ctes)
            case exp.Subquery():
                _require(node, {"this", "alias"})
                found = self.query(node.this, ctes)
                return _From((_Item(node.alias.lower(), found),), found.has_rows)
        raise NotUnderstood

    def _named(self, name: str, ctes: _Ctes | None) -> Relation:
        """The relation that a name in a FROM means."""
        while ctes is not None:
            if name in ctes.nodes:
                return self._cte(name, ctes)
            ctes = ctes.outer
        columns = [column.lower() for column in self._columns_of(name)]
        if not columns:
            raise NotUnderstood
        reads = ((column, ColumnReads({(name, column): True})) for column in columns)
        return Relation(frozenset({name}), tuple(reads))

    def _cte(self, name: str, ctes: _Ctes) -> Relation:
        if name not in ctes.known:
            node = ctes.nodes[name]
            names = [column.name.lower() for column in node.args["alias"].columns]
            # Until it is read: what meets it again has a recursive one, of which this is known.
            ctes.known[name] = Relation(frozenset(), tuple((n, ColumnReads()) for n in names))
            found = self.query(node.this, ctes)
            if names and len(names) != len(found.columns):
                raise NotUnderstood
            reads = [of for _, of in found.columns]
            columns = tuple(zip(names, reads, strict=True)) if names else found.columns
            ctes.known[name] = replace(found, columns=columns)
        return ctes.known[name]

    def _outputs(
        self, node: exp.Expr, scopes: tuple["_Scope", ...]
    ) -> Iterator[tuple[str, ColumnReads]]:
        """The columns that one item of a SELECT's list brings."""
        source = scopes[0][0]
        if node.is_star and isinstance(node, exp.Star | exp.Column):
            _require(node if isinstance(node, exp.Star) else node.this, frozenset())
            wanted = node.text("table").lower()
            named = [item.name for item in source.items].count(wanted)
            if named != 1 if wanted else source.merged:
                raise NotUnderstood
            for item in source.items:
                if wanted in ("", item.name):
                    yield from ((n, _seen(of, item)) for n, of in item.relation.columns)
            return
        inner = node.this if isinstance(node, exp.Alias) else node
        while isinstance(inner, exp.Paren):
            inner = inner.this
        if isinstance(inner, exp.Column):
            yield node.alias_or_name.lower(), _of_column(inner, source) or _by_name(inner)
        else:
            yield node.alias.lower(), self._reads(inner, scopes)

    def _reads(self, node: exp.Expr, scopes: tuple["_Scope", ...]) -> ColumnReads:
        """What an expression reads, subqueries in it too; its value is another one."""
        if isinstance(node, exp.Select):
            ctes = _ctes_of(node, scopes[0][1])
            try:
                scopes = ((self._from(node, ctes), ctes), *scopes)
            except NotUnderstood:  # then by the names alone
                return _by_name(*_columns(node))
        if isinstance(node, exp.Column):
            found = (_of_column(node, source) for source, _ in scopes)
            return unfaithful(next(filter(None, found), _by_name(node)))
        reads = ColumnReads()
        for child in node.iter_expressions():
            reads = reads_of_both(reads, self._reads(child, scopes))
        return reads

    def _belongs(self, call: exp.Expr, node: exp.Select, ctes: _Ctes | None) -> bool:
        """Whether an aggregate is that of this SELECT, not of one inside it.

        SQLite gives it to the innermost SELECT of which its arguments name a column.
        """
        inner = call.find_ancestor(exp.Select)
        columns = list(_columns(call.parent if isinstance(call.parent, exp.Filter) else call))
        if inner is node or not columns:
            return inner is node
        return True if inner is None else not self._has_any(columns, inner, ctes)

    def _has_any(self, columns: Iterable[exp.Column], node: exp.Select, ctes: _Ctes | None) -> bool:
        try:
            source = self._from(node, _ctes_of(node, ctes))
        except NotUnderstood:
            return False
        return any(_of_column(column, source) is not None for column in columns)


_Scope = tuple[_From, _Ctes | None]


def _ctes_of(node: exp.Expr, outer: _Ctes | None) -> _Ctes | None:
    found = node.args.get("with_")
    if found is None:
        return outer
    return _Ctes({cte.alias.lower(): cte for cte in found.expressions}, outer)


def _require(node: exp.Expr, known: Iterable[str]) -> None:
    """Refuse a node that has more to it than is known here."""
    if any(value for key, value in node.args.items() if key not in set(known)):
        raise NotUnderstood


def _join(left: _From, right: _From, join: exp.Join) -> _From:
    """Two operands joined: whose rows all come through."""
    _require(join, _JOIN)
    side, method = join.side.upper(), join.method.upper()
    if side not in ("", "LEFT", "RIGHT", "FULL") or method not in ("", "NATURAL"):
        raise NotUnderstood
    if join.kind.upper() not in ("", "CROSS", "INNER", "OUTER"):
        raise NotUnderstood
    on, merged = join.args.get("on"), method == "NATURAL" or bool(join.args.get("using"))
    free = not merged and (on is None or _always(on))
    keeps_left = side in ("LEFT", "FULL") or (not side and free and right.has_rows)
    keeps_right = side in ("RIGHT", "FULL") or (not side and free and left.has_rows)
    items = [_Item(i.name, i.relation, i.kept and keeps_left) for i in left.items]
    items += [_Item(i.name, i.relation, i.kept and keeps_right) for i in right.items]
    has_rows = (keeps_left and left.has_rows) or (keeps_right and right.has_rows)
    return _From(tuple(items), has_rows, merged or left.merged or right.merged)


def _of_column(column: exp.Column, source: _From) -> ColumnReads | None:
    """What a column of a FROM holds; None where no item, or more than one, has it."""
    name, table = column.name.lower(), column.table.lower()
    found = [
        _seen(reads, item)
        for item in source.items
        if table in ("", item.name)
        for own, reads in item.relation.columns
        if own == name
    ]
    return found[0] if len(found) == 1 else None


def _by_name(*columns: exp.Column) -> ColumnReads:
    return ColumnReads({("", column.name.lower()): False for column in columns})


def _columns(node: exp.Expr) -> Iterator[exp.Column]:
    return node.find_all(exp.Column)


def _aggregates(node: exp.Select) -> Iterator[exp.Expr]:
    """The aggregate calls in a SELECT's list and ORDER BY, those of a window left out."""
    order = node.args.get("order")
    for part in (*node.expressions, *((order,) if order else ())):
        for call in part.find_all(exp.Func):
            named = isinstance(call, exp.Anonymous) and call.name.upper() in AGGREGATES
            if (named or isinstance(call, _AGGREGATE_NODES)) and not _is_windowed(call):
                yield call


def _is_windowed(call: exp.Expr) -> bool:
    holder = call.parent.parent if isinstance(call.parent, exp.Filter) else call.parent
    return isinstance(holder, exp.Window)


def _check_aggregates(tree: exp.Expr, found: Sequence[Token]) -> None:
    """Refuse a tree in which an aggregate of the text is none that is known here."""
    written = sum(
        token.name.upper() in AGGREGATES and following.text == "("
        for token, following in pairwise(found)
    )
    calls = tree.find_all(exp.Anonymous, exp.Greatest, exp.Least, *_AGGREGATE_NODES)
    read = sum(
        not isinstance(call, exp.Anonymous) or call.name.upper() in AGGREGATES for call in calls
    )
    if written != read:
        raise NotUnderstood


def _always(node: exp.Expr) -> bool:
    """Whether a condition is true of every row, seen from its literals alone."""
    match node:
        case exp.Boolean():
            return bool(node.this)
        case exp.Literal(is_string=False):
            return node.name.isdecimal() and int(node.name) != 0
        case exp.Paren():
            return _always(node.this)
        case exp.And():
            return _always(node.this) and _always(node.expression)
        case exp.EQ(this=exp.Literal(), expression=exp.Literal()):
            return bool(node.this == node.expression)
    return False


def _cut_off(node: exp.Expr) -> bool:
    return node.args.get("limit") is not None or node.args.get("offset") is not None


def _seen(reads: ColumnReads, item: _Item) -> ColumnReads:
    return reads if item.kept else unfaithful(reads)
