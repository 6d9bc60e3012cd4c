"""What D1's engine lets a statement do, as the `PRAGMA`s and functions that local D1 accepted."""

import apsw

TRANSACTION_REFUSED = (
    "To execute a transaction, please use the state.storage.transaction() or"
    " state.storage.transactionSync() APIs instead of the SQL BEGIN TRANSACTION or SAVEPOINT"
    " statements. The JavaScript API is safer because it will automatically roll back on"
    " exceptions, and because it interacts correctly with Durable Objects' automatic atomic"
    " write coalescing."
)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


PRAGMAS = _words(
    "table_info table_xinfo table_list index_list index_info index_xinfo foreign_key_list"
    " foreign_key_check foreign_keys quick_check defer_foreign_keys data_version page_size"
    " optimize case_sensitive_like ignore_check_constraints legacy_alter_table"
    " recursive_triggers reverse_unordered_selects"
)
_REFUSED_FUNCTIONS = _words(
    "sqlite_version sqlite_source_id sqlite_compileoption_get sqlite_compileoption_used"
    " sqlite_log load_extension ceiling power log10 if json_pretty json_error_position"
    " json_array_insert jsonb_array_insert subtype unistr unistr_quote fts5_source_id"
    " rtreenode rtreedepth sqlite_fail sqlite_drop_constraint sqlite_add_constraint"
    " median percentile percentile_cont percentile_disc fts3_tokenizer"
)
_VIRTUAL_TABLES = frozenset({"fts5", "fts5vocab", "rtree", "rtree_i32"})
_ABSENT_TABLES = frozenset({"dbstat", "sqlite_dbpage", "bytecode", "tables_used"})
_REFUSED_ACTIONS = frozenset(
    {
        apsw.SQLITE_TRANSACTION,
        apsw.SQLITE_SAVEPOINT,
        apsw.SQLITE_ATTACH,
        apsw.SQLITE_DETACH,
        apsw.SQLITE_CREATE_TEMP_INDEX,
        apsw.SQLITE_CREATE_TEMP_TABLE,
        apsw.SQLITE_CREATE_TEMP_TRIGGER,
        apsw.SQLITE_CREATE_TEMP_VIEW,
    }
)


def allows(action: int, first: str | None, second: str | None) -> bool:
    """Whether an action that SQLite's authorizer reports may go on."""
    if action in _REFUSED_ACTIONS:
        return False
    if action == apsw.SQLITE_PRAGMA:
        return (first or "").lower() in PRAGMAS
    if action == apsw.SQLITE_FUNCTION:
        name = (second or "").lower()
        return name not in _REFUSED_FUNCTIONS and not name.startswith("geopoly_")
    if action == apsw.SQLITE_CREATE_VTABLE:
        return (second or "").lower() in _VIRTUAL_TABLES
    return action == apsw.SQLITE_ANALYZE or not (
        _is_reserved(second if action == apsw.SQLITE_ALTER_TABLE else first)
    )


def _is_reserved(name: str | None) -> bool:
    lowered = (name or "").lower()
    return lowered.startswith("_cf_") or lowered in _ABSENT_TABLES
