"""The form of a summary: what was signed in an earlier form is rendered in it for ever."""

from d1_preflight.core.record.apply_facts import CloseFacts, GoFacts
from d1_preflight.core.record.record import Record
from d1_preflight.core.summary.verdict import closed_attempt

SPLIT_FORM = 3
"""The down file and accepted findings have a line each; what a command is for stands outside it.

The second form named reviews, what is still missing, and that nothing failed.
"""
GROUPED_FORM = 4
"""What failed more than once at one step is one line."""
ROWS_FORM = 5
"""A row with changed values counts once, also where some of them became NULL."""
LABELLED_FORM = 6
"""A rollback path that needs nothing done stands in the words that people chose it by."""
PRESENT_FORM = LABELLED_FORM
_FIRST_FORM = 1


def form_of(record: Record) -> int:
    """The form that the record's close names, or its GO; today's before there is a GO."""
    closed = closed_attempt(record)
    if closed is not None:
        return CloseFacts.from_attempt(closed).summary_form or _FIRST_FORM
    signed = [a for a in record.attempts if a.step == GoFacts.step and a.status.is_answered]
    if not signed:
        return PRESENT_FORM
    return GoFacts.from_attempt(signed[-1]).summary_form or _FIRST_FORM
