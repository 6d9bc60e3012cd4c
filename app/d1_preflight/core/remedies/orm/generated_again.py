"""Says that a tool would generate the same trap again, and what to change in its schema."""

from collections.abc import Collection, Iterator, Mapping, Sequence

_REBUILT = frozenset({
    "cascade-delete", "references-nulled", "references-moved", "parent-in-use", "copy-by-position",
    "self-reference-rebuild", "foreign-keys-off", "defer-off", "not-null-forgotten",
})  # fmt: skip
_PUT_BACK = frozenset({
    "index-forgotten", "trigger-forgotten", "check-forgotten", "unique-forgotten",
    "foreign-key-forgotten", "default-forgotten", "collation-forgotten", "generated-forgotten",
    "strict-forgotten", "without-rowid-forgotten", "sequence-reset",
})  # fmt: skip
_ADDED = frozenset({"add-column-not-null", "add-column-moving-default"})

_SCHEMA = {"drizzle": "schema.ts", "prisma": "schema.prisma"}
_REBUILD_AGAIN: Mapping[str, str] = {
    "drizzle": "drizzle generates this rebuild again for every change of a column's type,"
    " notNull(), default(), references() or check() in schema.ts. To avoid it, leave the column"
    " and add a new one; otherwise run preflight fix on each file that it generates.",
    "prisma": "Prisma generates this rebuild (RedefineTables) again for every change of a field's"
    " type, its ?, @default or @relation in schema.prisma. To avoid it, leave the field and add"
    " a new optional one; otherwise run preflight fix on each file that it generates.",
}
_PUT_BACK_AGAIN: Mapping[str, str] = {
    "drizzle": "The next rebuild drops what was restored unless schema.ts declares it: index(),"
    " unique(), check(), references(). Triggers, STRICT and COLLATE cannot be declared there:"
    " add them with drizzle-kit generate --custom after each rebuild.",
    "prisma": "The next rebuild drops what was restored unless schema.prisma declares it:"
    " @@index, @@unique, @relation, @default. CHECKs, triggers, STRICT and COLLATE"
    " cannot be declared there: put them into each file that Prisma generates.",
}
_COLUMN_AGAIN: Mapping[str, str] = {
    "drizzle": "drizzle generates such a column again: give it a constant default() in schema.ts,"
    " or add it without notNull().",
    "prisma": "Prisma generates such a column again: give it a constant @default in schema.prisma,"
    " or make it optional (?).",
}


def generated_again(
    tool: str, rules: Collection[str], differences: Sequence[str]
) -> tuple[str, ...]:
    """The notes for a file that a tool made; () for a file of one's own.

    `rules` are those that the rewrite answers, `differences` those of the final schema, in words.
    """
    return tuple(_notes(tool, frozenset(rules), differences)) if tool in _SCHEMA else ()


def _notes(tool: str, rules: frozenset[str], differences: Sequence[str]) -> Iterator[str]:
    real = [words for words in differences if not words.startswith("column order")]
    if real:
        yield (
            f"{tool}'s snapshot of the schema does not have: {'; '.join(real)}. Declare it in"
            f" {_SCHEMA[tool]}; if {tool} then generates it again, empty that file."
        )
    else:
        yield (
            f"{tool}'s snapshot of the schema stays correct: the final schema is the one it "
            "generated."
        )
    for wanted, words in (
        (_REBUILT, _REBUILD_AGAIN),
        (_PUT_BACK, _PUT_BACK_AGAIN),
        (_ADDED, _COLUMN_AGAIN),
    ):
        if rules & wanted:
            yield words[tool]
