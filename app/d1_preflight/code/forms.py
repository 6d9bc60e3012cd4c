"""The forms that a query's text can take: every choice is taken once, holes stay holes."""

from collections.abc import Iterator, Sequence
from itertools import chain, combinations, islice, product
from math import prod

from d1_preflight.code.expression import (
    Choice,
    Expression,
    Hole,
    Items,
    Join,
    Joined,
    Maybe,
    Text,
)

MOST_FORMS = 256

Part = str | Hole
Form = tuple[Part, ...]


OTHERS: Form = (Hole("others"),)
"""Stands for the forms that are too many to be tried: nothing is known of them."""


def forms_of(expression: Expression) -> tuple[Form, ...]:
    """The forms of a resolved expression, the fullest first; of too many the last is OTHERS."""
    if isinstance(expression, Text):
        return ((expression.text,) if expression.text else (),)
    found = tuple(islice(dict.fromkeys(map(_merged, _forms(expression))), MOST_FORMS + 1))
    return found if len(found) <= MOST_FORMS else (*found[:MOST_FORMS], OTHERS)


def _forms(expression: Expression) -> list[Form]:
    match expression:
        case Text(text):
            return [(text,)] if text else [()]
        case Hole():
            return [(expression,)]
        case Maybe(part):
            return [*_forms(part), ()]
        case Choice(options):
            listed = [form for option in options for form in _forms(option)]
            return listed[: MOST_FORMS + 1]
        case Join(parts):
            return list(_combined([_forms(part) for part in parts]))
        case Joined(Items(items), separator):
            return list(_listed(items, separator))
    return [(Hole(""),)]


def _combined(lists: Sequence[Sequence[Form]]) -> Iterator[Form]:
    """Parts one after the other: every combination of few, else each change and each two choices.

    What may be absent stands alone; of two choices one can depend on the other.
    """
    is_few = prod(map(len, lists)) <= MOST_FORMS
    chosen = product(*lists) if is_few else chain(_one_by_one(lists), _two_by_two(lists))
    for together in islice(chosen, MOST_FORMS + 1):
        yield tuple(part for form in together for part in form)


def _one_by_one(lists: Sequence[Sequence[Form]]) -> Iterator[Sequence[Form]]:
    fullest = [options[0] for options in lists]
    barest = [options[-1] for options in lists]
    yield fullest
    for number, options in enumerate(lists):
        for option in options[1:]:
            yield [*fullest[:number], option, *fullest[number + 1 :]]
    yield barest
    for number, options in enumerate(lists):
        for option in options[:-1]:
            yield [*barest[:number], option, *barest[number + 1 :]]


def _two_by_two(lists: Sequence[Sequence[Form]]) -> Iterator[Sequence[Form]]:
    choices = [number for number, options in enumerate(lists) if () not in options]
    for first, second in combinations(choices, 2):
        for one, other in product(lists[first][1:], lists[second][1:]):
            both = {first: one, second: other}
            yield [both.get(number, options[0]) for number, options in enumerate(lists)]


def _listed(items: Sequence[Expression], separator: str) -> Iterator[Form]:
    """A list in one: whole, then each item that may be absent by itself, then without these."""
    whole = [item.part if isinstance(item, Maybe) else item for item in items]
    certain = [item for item in items if not isinstance(item, Maybe)]
    yield from _separated(whole, separator)
    if len(certain) == len(items):
        return
    for number, item in enumerate(items):
        if isinstance(item, Maybe):
            one = [o for n, o in enumerate(items) if n == number or not isinstance(o, Maybe)]
            plain = [o.part if isinstance(o, Maybe) else o for o in one]
            yield from _separated(plain, separator)
    yield from _separated(certain, separator)


def _separated(items: Sequence[Expression], separator: str) -> Iterator[Form]:
    lists: list[list[Form]] = []
    for number, item in enumerate(items):
        if number:
            lists.append([(separator,)])
        lists.append([form for form in _forms(item) if form] or [()])
    yield from _combined(lists)


def _merged(form: Form) -> Form:
    found: list[Part] = []
    for part in form:
        last = found[-1] if found else None
        if isinstance(part, str) and isinstance(last, str):
            found[-1] = last + part
        else:
            found.append(part)
    return tuple(found)
