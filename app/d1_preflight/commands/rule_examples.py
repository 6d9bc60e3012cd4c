"""What `preflight explain` writes where a finding has the user's own words."""

from collections.abc import Iterator, Mapping
from string import Formatter

NAMES = frozenset(
    {
        *("child", "children", "column", "columns", "copy", "index", "key", "name", "names"),
        *("new", "other", "parent", "revision", "source", "table", "trigger", "triggers", "view"),
    }
)
"""The placeholders that stand for a name: shown in capitals, as manuals write them."""

_ASIDE = {
    "park": "CREATE TABLE _CHILD AS SELECT * FROM CHILD;",
    "back": "INSERT INTO CHILD SELECT * FROM _CHILD;",
    "tidy": "DROP TABLE _CHILD;",
}
_REFERENCES = {
    "park": "CREATE TABLE _CHILD AS SELECT ID, COLUMN FROM CHILD;",
    "back": "UPDATE CHILD SET COLUMN = (SELECT COLUMN FROM _CHILD WHERE _CHILD.ID = CHILD.ID);",
    "tidy": "DROP TABLE _CHILD;",
}
_ALWAYS = {
    **{name: name.upper() for name in NAMES},
    **dict.fromkeys(("outside", "kept", "swapped", "folder"), ""),  # not in every finding
    "check": "(CONDITION)",
    "convention": "NNNN_descriptive_action.sql",
    "declared": "additive",
    "found": "destructive",
    "statements": "INSERT, UPDATE or DELETE",
}
_OF_RULE: Mapping[str, Mapping[str, str]] = {
    "references-moved": _REFERENCES,
    "references-nulled": _REFERENCES,
    "cascade-delete": _ASIDE,
    "add-column-moving-default": {"default": "(unixepoch())"},
    "affinity-change": {"before": "TEXT", "after": "INTEGER"},
    "allow-ignored": {"said": "allow RULE", "why": "the rule finds nothing here"},
    "auto-number-ignored": {"type": "SERIAL"},
    "cast-loses": {"type": "INTEGER"},
    "collation-forgotten": {"before": "TEXT COLLATE NOCASE", "after": "TEXT"},
    "copy-filtered": {"why": "WHERE or LIMIT"},
    "declared-type-differs": {"reason": 'drops table "TABLE".', "line": "12"},
    "declared-type-unknown": {"declared": "harmless"},
    "default-forgotten": {"before": "TEXT DEFAULT 'x'", "after": "TEXT"},
    "drop-unknown": {"words": 'Drops table "NAME", if it exists: no file creates it.'},
    "duplicate-number": {"number": "0061"},
    "foreign-key-action-changed": {"before": "CASCADE", "after": "NO ACTION"},
    "function-arguments-remote": {"function": "coalesce", "count": "33"},
    "generated-forgotten": {"before": "TEXT AS (upper(v))"},
    "header-missing": {"fields": "Type, Rollback", "type": "additive"},
    "header-name-differs": {"declared": "0001_other"},
    "if-not-exists-ignored": {"what": 'column "COLUMN" is not added'},
    "large-file": {"count": "1,200", "size": "250,000"},
    "length-not-enforced": {"type": "VARCHAR(5)"},
    "like-pattern-too-long": {"size": "62"},
    "not-null-added": {"before": "TEXT", "after": "TEXT NOT NULL"},
    "not-null-forgotten": {"before": "TEXT NOT NULL", "after": "TEXT"},
    "number-gap": {"missing": "0060"},
    "number-out-of-order": {"next": "0062"},
    "pragma-leaks": {"pragma": "legacy_alter_table"},
    "prior-incomplete": {"problem": 'view "VIEW": no such table: TABLE'},
    "replace-cascades": {
        "upsert": "INSERT INTO TABLE (ID, COLUMN) VALUES (…) ON CONFLICT (ID) DO UPDATE SET "
        "COLUMN = excluded.COLUMN;"
    },
    "rollback-undocumented": {"declared": "Not required"},
    "row-too-large-remote": {"size": "3,000,000"},
    "several-changes": {
        "count": "2",
        "deeds": "1 table change and 1 delete",
        "changes": '1 table change ("TABLE"); 1 delete ("OTHER")',
    },
    "statement-nearly-too-long": {"size": "95,000"},
    "table-nearly-too-wide": {"count": "95"},
    "trigger-lower-case-begin": {"written": "begin"},
    "update-breaks-check": {"says": "refuses"},
    "update-not-invertible": {"value": "'owner'"},
}
_ERRORS: Mapping[str, str] = {
    "add-column-primary-key": "Cannot add a PRIMARY KEY column",
    "add-column-unique": "Cannot add a UNIQUE column",
    "add-constraint-unsupported": "not authorized to use function: sqlite_fail",
    "already-exists": "table TABLE already exists",
    "alter-default-unsupported": 'near "DEFAULT": syntax error',
    "alter-if-exists": 'near "EXISTS": syntax error',
    "alter-not-null-unsupported": "not authorized to use function: sqlite_fail",
    "alter-several-actions": 'near ",": syntax error',
    "alter-type-unsupported": 'near "TYPE": syntax error',
    "attach-refused": "D1 does not attach other databases",
    "bound-parameter": "Statement has 1 bindings but you didn't supply any!",
    "breakpoint-without-semicolon": 'near "CREATE": syntax error',
    "dot-command": 'near ".": syntax error',
    "drop-column-refused": "error in index INDEX after drop column: no such column: COLUMN",
    "drop-constraint-unsupported": "not authorized to use function: sqlite_drop_constraint",
    "expression-too-deep": "Expression tree is too large (maximum depth 100)",
    "fts-content-broken": "no such column: T.COLUMN",
    "function-missing": "no such function: now",
    "function-refused": "not authorized to use function: power",
    "key-mismatch": 'foreign key mismatch - "CHILD" referencing "PARENT"',
    "module-missing": "D1 has no module fts4",
    "name-missing": "no such column: COLUMN",
    "needs-rows": "FOREIGN KEY constraint failed",
    "other-dialect": 'near "TRUNCATE": syntax error',
    "pragma-refused": "D1 does not allow PRAGMA user_version",
    "quote-unclosed": 'near "s": syntax error',
    "rename-breaks-view": "error in view VIEW: no such table: main.TABLE",
    "reserved-name": "D1 keeps _cf_a to itself",
    "statement-refused": "1 values for 2 columns",
    "statement-too-long": "statement too long: SQLITE_TOOBIG",
    "syntax-error": 'near "CREAT": syntax error',
    "table-unwritable": 'foreign key mismatch - "CHILD" referencing "PARENT"',
    "temporary-object": "D1 does not allow temporary objects",
    "too-many-arguments": "too many arguments on function json_array",
    "too-many-columns": "too many columns on TABLE",
    "too-many-terms": "too many terms in compound SELECT",
    "transaction-statement": "D1 runs the whole file in one transaction and refuses BEGIN in it",
    "two-lineages": "table TABLE already exists",
    "vacuum-refused": "cannot VACUUM from within a transaction",
    "view-broken": "no such table: main.TABLE",
    "view-unwritable": "no such table: main.TABLE",
}
"""What D1 answers on a case of the rule."""


def placeholders(words: str) -> Iterator[str]:
    """The places of a rule's words that a finding fills in."""
    yield from (name for _, name, _, _ in Formatter().parse(words) if name)


def in_general(rule: str, words: str) -> str:
    """A rule's words with names in capitals, and an example where a finding says more.

    Raises KeyError for a placeholder without either: nobody would understand it.
    """
    shown = {**_ALWAYS, **_OF_RULE.get(rule, {}), "error": _ERRORS.get(rule, "")}
    if not shown["error"]:
        del shown["error"]
    return words.format(**{name: shown[name] for name in placeholders(words)})
