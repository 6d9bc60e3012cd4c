"""What D1's engine accepts: its limits, PRAGMAs and functions, each measured on local D1.

The lists are of what is allowed (workerd of wrangler 4.164.0): what is not on them is refused.
"""

import apsw


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


LEDGER = "d1_migrations"
LEDGER_COLUMNS = (
    "(id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE,"
    " applied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL)"
)
STATEMENT_BYTES = 100_000
COLUMNS = 100
COMPOUND_TERMS = 5
PATTERN_BYTES = 50
REMOTE_ARGUMENTS = 32
REMOTE_ROW_BYTES = 2_000_000
LIMITS = (
    (apsw.SQLITE_LIMIT_SQL_LENGTH, STATEMENT_BYTES),
    (apsw.SQLITE_LIMIT_COLUMN, COLUMNS),
    (apsw.SQLITE_LIMIT_COMPOUND_SELECT, COMPOUND_TERMS),
    (apsw.SQLITE_LIMIT_LIKE_PATTERN_LENGTH, PATTERN_BYTES),
    (apsw.SQLITE_LIMIT_EXPR_DEPTH, 100),
    (apsw.SQLITE_LIMIT_FUNCTION_ARG, 127),
    (apsw.SQLITE_LIMIT_VARIABLE_NUMBER, 100),
    (apsw.SQLITE_LIMIT_TRIGGER_DEPTH, 10),
    (apsw.SQLITE_LIMIT_ATTACHED, 0),
    (apsw.SQLITE_LIMIT_LENGTH, 10_000_000),
)
DISK_ERRORS = (apsw.FullError, apsw.IOError, apsw.ReadOnlyError, apsw.CantOpenError)
"""What SQLite raises where the disk, not the statement, is at fault."""
PRAGMAS = _words(
    "table_info table_xinfo table_list index_list index_info index_xinfo foreign_key_list"
    " foreign_key_check foreign_keys quick_check defer_foreign_keys data_version page_size"
    " optimize case_sensitive_like ignore_check_constraints legacy_alter_table"
    " recursive_triggers reverse_unordered_selects"
)
FUNCTIONS = _words(
    "-> ->> abs acos acosh asin asinh atan atan2 atanh avg bm25 ceil changes char coalesce"
    " concat concat_ws cos cosh count cume_dist current_date current_time current_timestamp"
    " date datetime degrees dense_rank exp first_value floor format glob group_concat hex"
    " highlight ifnull iif instr json json_array json_array_length json_each json_extract"
    " json_group_array json_group_object json_insert json_object json_patch json_quote"
    " json_remove json_replace json_set json_tree json_type json_valid jsonb jsonb_array"
    " jsonb_extract jsonb_group_array jsonb_group_object jsonb_insert jsonb_object"
    " jsonb_patch jsonb_remove jsonb_replace jsonb_set julianday lag last_insert_rowid"
    " last_value lead length like likelihood likely ln log log2 lower ltrim match max min"
    " mod nth_value ntile nullif octet_length percent_rank pi pow printf quote radians"
    " random randomblob rank replace round row_number rtreecheck rtrim sign sin sinh"
    " snippet sqlite_drop_column sqlite_rename_column sqlite_rename_quotefix"
    " sqlite_rename_table sqlite_rename_test sqrt strftime string_agg substr substring sum"
    " tan tanh time timediff total total_changes trim trunc typeof unhex unicode unixepoch"
    " unlikely upper zeroblob"
)
MODULES = frozenset({"fts5", "fts5vocab", "rtree", "rtree_i32"})
_TEMPORARY = frozenset(
    {
        apsw.SQLITE_CREATE_TEMP_INDEX,
        apsw.SQLITE_CREATE_TEMP_TABLE,
        apsw.SQLITE_CREATE_TEMP_TRIGGER,
        apsw.SQLITE_CREATE_TEMP_VIEW,
    }
)
_ABSENT_TABLES = frozenset({"dbstat", "sqlite_dbpage", "bytecode", "tables_used"})


def refusal(action: int, first: str | None, second: str | None) -> str:
    """Why D1 refuses an action that SQLite's authorizer reports, "" where it allows it."""
    name, detail = first or "", second or ""
    if action in (apsw.SQLITE_TRANSACTION, apsw.SQLITE_SAVEPOINT):
        return f"D1 runs the whole file in one transaction and refuses {name} in it"
    if action in (apsw.SQLITE_ATTACH, apsw.SQLITE_DETACH):
        return "D1 does not attach other databases"
    if action in _TEMPORARY:
        return "D1 does not allow temporary objects"
    if action == apsw.SQLITE_PRAGMA and name.lower() not in PRAGMAS:
        return f"D1 does not allow PRAGMA {name}"
    if action == apsw.SQLITE_FUNCTION and detail.lower() not in FUNCTIONS:
        return f"not authorized to use function: {detail}"
    if action == apsw.SQLITE_CREATE_VTABLE and detail.lower() not in MODULES:
        return f"D1 has no module {detail}"
    if name.lower().startswith("_cf_") or name.lower() in _ABSENT_TABLES:
        return f"D1 keeps {name} to itself"
    return ""
