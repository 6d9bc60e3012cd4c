"""Whether an error of some SQL could quote a row's values.

SQLite's own errors name tables and columns, never values, with these exceptions (SQLite 3.54.1,
each shown by a run in the tests): `RAISE(ABORT, expression)` says the expression's value, a JSON
path or an FTS query that is computed is quoted where it is malformed. What such a file says when
it fails is not kept.
"""

from collections.abc import Collection, Sequence

from d1_preflight.core.sql.tokenizer import Token, TokenKind, all_tokens, closing, parted

_PATHS = frozenset({"JSON_EXTRACT", "JSON_REMOVE", "JSON_TYPE", "JSON_ARRAY_LENGTH", "JSON_EACH",
                    "JSON_TREE", "JSONB_EXTRACT", "JSONB_REMOVE", "JSONB_EACH",
                    "JSONB_TREE"})  # fmt: skip
_PAIRS = frozenset({"JSON_SET", "JSON_INSERT", "JSON_REPLACE", "JSON_ARRAY_INSERT", "JSONB_SET",
                    "JSONB_INSERT", "JSONB_REPLACE", "JSONB_ARRAY_INSERT"})  # fmt: skip
_OPERATORS = ("->", "->>")
_JOINS = ("||", *_OPERATORS)


def error_may_leak_row_values(*texts: str) -> bool:
    """True where any text of these that an error may show is computed, not written out.

    What one text makes, another one uses: a schema's full-text tables are asked by its migration.
    """
    found = [[t for t in all_tokens(sql) if t.kind is not TokenKind.COMMENT] for sql in texts]
    full_text = {
        before.name.lower()
        for tokens in found
        for before, using, module in zip(tokens, tokens[1:], tokens[2:], strict=False)
        if using.word == "USING" and module.word.startswith("FTS")
    }
    return any(
        _is_computed(tokens, at) or _asks_full_text(tokens, at, full_text)
        for tokens in found
        for at in range(len(tokens))
    )


def _asks_full_text(tokens: Sequence[Token], at: int, tables: Collection[str]) -> bool:
    """Whether a full-text table is asked as `f = query` or `f(query)`, in place of MATCH."""
    if tokens[at].name.lower() not in tables:
        return False
    around = (*tokens[at - 1 : at], *tokens[at + 1 : at + 2])
    names_columns = tokens[at - 1].word == "INTO" if at else False
    return any(t.text in ("=", "==") for t in around) or (
        not names_columns and any(t.text == "(" for t in tokens[at + 1 : at + 2])
    )


def _is_computed(tokens: Sequence[Token], at: int) -> bool:
    word, after = tokens[at].word, tokens[at + 1 : at + 2]
    if word == "MATCH" or tokens[at].text in _OPERATORS:
        is_literal = after and after[0].kind in (TokenKind.STRING, TokenKind.NUMBER)
        # `||` binds as `->` does, from the left, and more tightly than MATCH.
        joined = word == "MATCH" and any(t.text in _JOINS for t in tokens[at + 2 : at + 3])
        return not is_literal or joined
    if not (after and after[0].text == "("):
        return False
    every = 1 if word == "RAISE" or word in _PATHS else 2 if word in _PAIRS else 0
    arguments = list(parted(tokens[at + 2 : closing(tokens, at + 1)])) if every else []
    looked_at = arguments[1 :: every or 1]
    return any([token.kind for token in one] != [TokenKind.STRING] for one in looked_at)
