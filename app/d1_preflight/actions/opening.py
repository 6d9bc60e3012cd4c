"""Opening a record: the saved one held against the present, or a new one."""

from dataclasses import replace

from d1_preflight.actions.context import Tools
from d1_preflight.core.checklist.checklist import Checklist
from d1_preflight.core.errors import NotAllowed
from d1_preflight.core.record.file import dump_record
from d1_preflight.core.record.record import Record
from d1_preflight.core.record.signing import CLOSE

SIGNATURE = "record.toml.sig"


def opened_record(tools: Tools, checklist: Checklist) -> Record:
    """The saved record held against the files as they are now, or a new one.

    Raises NotAllowed for a record about another database, RecordInvalid for a damaged one.
    """
    saved = tools.store.load()
    fresh = tools.new_record(checklist.sha256)
    if saved is None:
        return fresh
    if saved.database.id != fresh.database.id:
        raise NotAllowed(
            f"This record is about another database ({saved.database.name} "
            f"{saved.database.id}), not {fresh.database.name} {fresh.database.id}.",
            hint="Move the record away, or choose the database it was made for.",
        )
    if saved.migration != tools.name:
        raise NotAllowed(
            f"This record is about {saved.migration}, not {tools.name}.",
            hint="It was copied here, or the migration was renamed: move the record away.",
        )
    if saved.database.target != fresh.database.target:
        raise NotAllowed(
            f"This record was made on {saved.database.target}, and this is {tools.target}.",
            hint="Move the record away: what was proved there proves nothing here.",
        )
    if is_sealed(tools, saved):
        return saved
    current = replace(saved, checklist=checklist.sha256, tools=fresh.tools)
    recovered = current.about(fresh.subjects).recovered()
    if saved.running:
        tools.store.save(recovered)
    return recovered


def is_sealed(tools: Tools, record: Record) -> bool:
    """Whether these exact bytes are closed and carry a good closing signature."""
    last = record.last("close")
    if last is None or not last.status.is_answered:
        return False
    signature = tools.store.read(SIGNATURE)
    return signature is not None and tools.signer.is_good(dump_record(record), signature, CLOSE)
