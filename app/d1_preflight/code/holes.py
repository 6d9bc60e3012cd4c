"""Tries a form with holes in the texts that its holes can take, by what stands around them."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice, product

from d1_preflight.code.expression import Hole
from d1_preflight.code.forms import Form
from d1_preflight.core.engine.preparation import PreparedSchema
from d1_preflight.core.sql.tokenizer import Token, TokenKind, quote_name, statements, tokens

_MOST_TRIES = 240
_MOST_TABLES = 60
_MOST_VALUES = 40
_CLAUSES = (
    "", " WHERE 1 ", " AND 1 ", " ORDER BY 1 ", " LIMIT 1 ", ", NULL ", "NULL", "1", "rowid", "*",
    " = 1 ", " ASC ", " OFFSET 1 ", " GROUP BY 1 ", " JOIN (SELECT 1) ON 1 ", " RETURNING *",
    " ON CONFLICT DO NOTHING ", ") ", " AND 1) ",
)  # fmt: skip
_BY_WORD: Mapping[str, Sequence[str]] = {
    "IN": ("(NULL)",),
    "SELECT": ("NULL", "*", "rowid", "COUNT(*)"),
    "DISTINCT": ("NULL", "*", "rowid"),
    "ALL": ("", "SELECT 1", "NULL"),
    "WHERE": ("1", "1 AND "),
    "AND": ("1", "1 AND "),
    "OR": ("0", "REPLACE", "0 OR "),
    "ON": ("1", "CONFLICT DO NOTHING"),
    "HAVING": ("1",),
    "WHEN": ("1",),
    "NOT": ("1", "NULL", "EXISTS (SELECT 1)"),
    "BY": ("1", "rowid", "NULL", "NULL, "),
    "LIMIT": ("1",),
    "OFFSET": ("1",),
    "THEN": ("NULL",),
    "ELSE": ("NULL",),
    "IS": ("NULL", "NOT"),
    "LIKE": ("NULL",),
    "AS": ("x", "INTEGER", "(SELECT 1)"),
    "DEFAULT": ("1",),
    "EXISTS": ("(SELECT 1)", "x"),
    "WITH": ("", "x AS (SELECT 1)", "x AS (SELECT 1), "),
}
_OPERATORS = frozenset({"=", "==", "<", ">", "<=", ">=", "<>", "!=", "+", "-", "*", "/", "||", "%"})
_NAMES_A_TABLE = frozenset({"FROM", "JOIN", "INTO", "UPDATE", "TABLE"})
_VALUES = tuple(", ".join(["NULL"] * n) for n in range(1, _MOST_VALUES + 1))


def is_unread(form: Form) -> bool:
    """Whether a form says nothing: it begins with a hole that holds the verb."""
    first = next((part for part in form if isinstance(part, Hole) or part.strip()), Hole(""))
    return isinstance(first, Hole)


def has_holes(form: Form) -> bool:
    """Whether any text of a form is not known."""
    if len(form) == 1:  # as most are
        return not isinstance(form[0], str)
    return any(isinstance(part, Hole) for part in form)


def plain_text(form: Form) -> str:
    """The form for people: a hole as `${name}`."""
    if len(form) == 1 and isinstance(form[0], str):
        return form[0]
    return "".join(part if isinstance(part, str) else f"${{{part.hint}}}" for part in form)


def prepared_text(form: Form, schema: PreparedSchema) -> str:
    """A text that the form can take and that prepares on a schema; "" where none does."""
    return next((text for text in texts(form, schema) if not error_of(text, schema)), "")


def texts(form: Form, schema: PreparedSchema) -> Iterator[str]:
    """The texts that a form can take, the likely ones first."""
    if not has_holes(form):
        yield "".join(part for part in form if isinstance(part, str))
        return
    guesses: list[Sequence[str]] = []
    before = ""
    for number, part in enumerate(form):
        if isinstance(part, str):
            guesses.append((part,))
            before += part
        else:
            behind = "".join(p if isinstance(p, str) else " " for p in form[number + 1 :])
            guesses.append(_guesses(before, behind, schema))
            before += guesses[-1][0]
    yield from ("".join(chosen) for chosen in islice(_combined(guesses), _MOST_TRIES))


def error_of(text: str, schema: PreparedSchema) -> str:
    """The first error of a text's statements.

    What defines tables is passed over: the code makes its own schema, and may find it made.
    """
    if ";" not in text:
        return "" if _defines(text) else schema.error(text)
    for statement in statements(text):
        error = "" if _defines(statement.body) else schema.error(statement.body)
        if error:
            return error
    return ""


def _defines(text: str) -> bool:
    return text.lstrip()[:6].upper().startswith(("CREATE", "ALTER", "DROP"))


def _combined(guesses: Sequence[Sequence[str]]) -> Iterator[tuple[str, ...]]:
    """The likely texts together, then each hole's others by itself, then all combinations."""
    likely = [options[0] for options in guesses]
    yield tuple(likely)
    for number, options in enumerate(guesses):
        for option in options[1:]:
            yield (*likely[:number], option, *likely[number + 1 :])
    if sum(len(options) > 1 for options in guesses) > 1:
        yield from product(*guesses)


def _guesses(before: str, behind: str, schema: PreparedSchema) -> Sequence[str]:
    """What can stand in a hole: likely texts by what is before it, then any clause."""
    found = tokens(before[-4000:])
    if found and _is_open(found[-1], before):
        tables = _tables(schema) if found[-1].kind is TokenKind.NAME else []
        return ("x", *tables)
    likely = list(_likely(found, schema))
    if before[-1:].isalnum() or before[-1:] == "_" or behind[:1].isalnum() or behind[:1] == "_":
        likely = ["", "x", "1", *likely]
    return tuple(dict.fromkeys([*likely, *_CLAUSES]))


def _is_open(last: Token, before: str) -> bool:
    """Whether the text ends within quotes."""
    quotes = {"'": "'", '"': '"', "`": "`", "[": "]"}
    closing = quotes.get(last.text[:1])
    if closing is None or not before.endswith(last.text):
        return False
    return len(last.text) == 1 or not last.text.endswith(closing)


def _likely(found: Sequence[Token], schema: PreparedSchema) -> Iterator[str]:
    words = [token.text.upper() for token in found[-4:]]
    last, second, third = (*reversed(words), "", "", "")[:3]
    if last in _NAMES_A_TABLE:
        yield from _tables(schema)
        if last in ("FROM", "JOIN"):
            yield "(SELECT 1)"
    elif last == ".":
        yield from ("rowid", "*")
    elif last == "(":
        yield from _in_parentheses(found, second, third, schema)
    elif last == "SET":
        yield from _assignments(found, schema)
    elif last == "VALUES":
        yield from (f"({values})" for values in _values_for(found))
    elif last == ",":
        yield from ("NULL", "rowid", "rowid = rowid", *_assignments(found, schema), *_VALUES[:12])
    elif last in _BY_WORD:
        yield from _BY_WORD[last]
    elif last in _OPERATORS:
        yield from ("NULL", "1", "(1)")


def _in_parentheses(
    found: Sequence[Token], second: str, third: str, schema: PreparedSchema
) -> Iterator[str]:
    if second == "IN":
        yield from ("NULL", "SELECT 1")
    elif second == "VALUES":
        yield from _values_for(found[:-1])
    elif third == "INTO":
        table = schema.structure.table(found[-2].name)
        yield "rowid"
        yield from map(quote_name, table.data_columns[:1] if table else ())
    else:
        yield from ("NULL", "SELECT 1", "1", "*", "")


def _assignments(found: Sequence[Token], schema: PreparedSchema) -> Iterator[str]:
    """Assignments that an UPDATE of the named table takes."""
    for number, token in enumerate(found):
        if token.word == "UPDATE" and number + 1 < len(found):
            table = schema.structure.table(found[number + 1].name)
            for column in table.data_columns[:1] if table else ():
                yield f"{quote_name(column)} = NULL"
    yield "rowid = rowid"


def _values_for(found: Sequence[Token]) -> Sequence[str]:
    """Values for as many columns as the INSERT names; else for any number."""
    texts_ = [token.text for token in found]
    if "(" in texts_:
        columns = texts_[texts_.index("(") :].count(",") + 1
        if columns <= _MOST_VALUES:
            return (_VALUES[columns - 1], *_VALUES[: columns - 1], *_VALUES[columns:])
    return _VALUES


def _tables(schema: PreparedSchema) -> list[str]:
    return [
        quote_name(table.name) for table in list(schema.structure.tables.values())[:_MOST_TABLES]
    ]
