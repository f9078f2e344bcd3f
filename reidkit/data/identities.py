"""Identities and other whole numbers as people write them: in tables, arrays and names of folders.

Inside, identities are numbers: people from 1, 0 a distractor, -1 junk. Outside, a person may be 17,
0, "0017", "1_11" or "anna", and only the sets of Market-1501's family say that 0 and -1 are nobody.
Whatever comes from elsewhere passes through `number_identities`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reidkit.errors import UserError

JUNK, DISTRACTOR = -1, 0
MOST = 2**63 - 1  # of 64 bits
EXACT = 2**53  # from here on floating-point numbers skip whole ones
_WHOLE = re.compile(r"[+-]?[0-9]+", re.ASCII)
_DECIMAL = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?", re.ASCII)
_NOTHING = ("", "nan", "none", "null", "n/a", "<na>", "#n/a")  # as programs write a missing value
Place = Callable[[int], str]


def _row(index: int) -> str:
    return f"row {index + 1}"


def whole_number(value: Any) -> int:
    """A value as the whole number that it writes: digits, perhaps a sign, perhaps ".0".

    Python's own ``int`` reads "1_11" as 111, and rounds 2.5 down.

    Args:
        value: text, or a number of Python or numpy.

    Raises:
        ValueError: it is no whole number, or not exactly one; the text says why.

    Example:
        >>> whole_number("0017"), whole_number(" -3"), whole_number(2.0), whole_number("5.0")
        (17, -3, 2, 5)
        >>> whole_number("1_11")
        Traceback (most recent call last):
        ValueError: '1_11' is no whole number
    """
    if isinstance(value, (bool, np.bool_)):
        raise ValueError(f"{value} is a truth value, no number")
    if isinstance(value, (int, np.integer)):
        return int(value)
    if isinstance(value, (float, np.floating)):
        if not np.isfinite(value) or value != np.floor(value):
            raise ValueError(f"{value} is no whole number")
        if abs(value) >= min(EXACT, 2 ** (np.finfo(type(value)).nmant + 1)):
            raise ValueError(f"{value:.0f} is a float so large that neighbours share it")
        return int(value)
    text = _text(value)
    if _WHOLE.fullmatch(text):
        return _digits(text)
    if not _DECIMAL.fullmatch(text):
        raise ValueError(f"{text[:40]!r} is no whole number")
    number = Decimal(text)
    exponent = number.as_tuple().exponent
    if isinstance(exponent, int) and exponent > 0:
        raise ValueError(f"{text[:40]!r} leaves out the last digits, as spreadsheets do")
    if number != number.to_integral_value():
        raise ValueError(f"{text[:40]!r} is no whole number")
    if abs(number) >= EXACT:
        raise ValueError(f"{text[:40]!r} is a float so large that neighbours share it")
    return int(number)


def _digits(text: str) -> int:
    if len(text) > 1000:
        raise ValueError(f"a number of {len(text)} digits")
    return int(text)


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape").strip()
    return str(value).strip()


def whole_numbers(values: Any, where: str, place: Place = _row) -> NDArray[np.int64]:
    """A column of whole numbers: cameras, frames, counts.

    Args:
        values: M numbers or texts.
        where: what the message of a refusal begins with ("labels.csv: column 'camera'").
        place: what the i-th value is called in a message; its row by default.

    Shape:
        returns (M,) int64.

    Raises:
        UserError: a value that is no whole number of 64 bits, or values that are no column.

    Example:
        >>> whole_numbers(["1", "02", "3.0"], "camera")
        array([1, 2, 3])
    """
    distinct, places = _distinct(_column(values, where))
    numbers = []
    for value, first in distinct.items():
        try:
            number = whole_number(value)
            if not -MOST - 1 <= number <= MOST:
                raise ValueError(f"{value} does not fit into 64 bits")
        except ValueError as error:
            raise UserError(f"{where} must hold whole numbers; {place(first)}: {error}") from None
        numbers.append(number)
    return np.array(numbers, np.int64)[places]


@dataclass(frozen=True, eq=False)
class Identities:
    """Identities as numbers, with what people are called where they come from.

    Attributes:
        numbers: (M,) int64: people from 1, 0 distractors, -1 junk.
        names: of the people where they were numbered anew: ``names[k - 1]`` is number k; empty
            where the numbers are those given.
        notice: a sentence for the user about what was done; empty when nothing was.
    """

    numbers: NDArray[np.int64]
    names: tuple[str, ...] = ()
    notice: str = ""


def number_identities(
    values: Any,
    where: str,
    junk: str | int | None = None,
    distractor: str | int | None = None,
    place: Place = _row,
    option: str = "{}=",
) -> Identities:
    """Identities of whatever kind as numbers: people from 1, 0 distractors, -1 junk.

    Whole numbers from 1 stay what they are. Where one of them is 0 or does not fit into 64 bits, or
    one is text, all people are numbered from 1 in sorted order, which ``notice`` says.

    Args:
        values: M whole numbers or texts, of everything that is compared with each other: people of
            query and gallery are numbered together.
        where: what the message of a refusal begins with ("labels.csv: column 'identity'").
        junk: the identity that marks images which are left out for every query; None: none does.
        distractor: the identity that marks images of nobody who is looked for; None: none does.
        place: what the i-th value is called in a message; its row by default.
        option: how an option is written in messages: "{}=" in Python, "--{} " on a command line.

    Raises:
        UserError: a missing value, a negative one that marks nothing, a decimal number, one that a
            spreadsheet or a float has rounded, or two spellings of one number.
        ValueError: ``junk`` and ``distractor`` are the same.

    Example:
        >>> number_identities([7, 3, 7], "toy").numbers
        array([7, 3, 7])
        >>> people = number_identities(["1_11", "11_1", "1_11"], "toy")
        >>> people.numbers, people.names
        (array([2, 1, 2]), ('11_1', '1_11'))
        >>> number_identities([0, 4, -1], "toy", junk=-1, distractor=0).numbers
        array([ 0,  4, -1])
    """
    marks = _marks(junk, distractor)
    distinct, places = _distinct(_column(values, where))
    keys = _keys(distinct, where, place)
    spelling: dict[Any, Any] = dict(zip(keys, distinct, strict=True))
    codes = {key: code for key in spelling if (code := _code(key, marks)) is not None}
    people = sorted(key for key in spelling if key not in codes)
    negative = next((spelling[key] for key in people if _negative(key)), None)
    if negative is not None:
        raise UserError(_negative_text(where, negative, place(distinct[negative]), option))
    notices = [
        f"no image has {option.format(name)}{mark}"
        for name, mark, code in (("junk", junk, JUNK), ("distractor", distractor, DISTRACTOR))
        if mark is not None and code not in codes.values()
    ]
    kept = all(isinstance(key, int) and 0 < key <= MOST for key in people)
    if not kept:
        notices.insert(0, _renumbered(people, spelling, option))
    codes |= {key: key if kept else number for number, key in enumerate(people, 1)}
    numbers = np.array([codes[key] for key in keys], np.int64)[places]
    names = () if kept else tuple(str(spelling[key]) for key in people)
    return Identities(numbers, names, f"{where}: {'; '.join(notices)}" if notices else "")


def _column(values: Any, where: str) -> NDArray | list:
    """Values as a list, or as an array of plain numbers."""
    if not isinstance(values, np.ndarray):
        return list(values)
    if values.ndim != 1 or values.dtype.kind not in "iufUSO":
        raise UserError(
            f"{where} must be one number or text per image, got {values.dtype} {values.shape}"
        )
    return values if values.dtype.kind in "iuf" else values.tolist()


def _distinct(column: NDArray | list) -> tuple[dict[Any, int], NDArray[np.int64]]:
    """Value -> where it is first, and for each of the M rows which of these values it is."""
    if isinstance(column, np.ndarray):
        values, first, places = np.unique(column, return_index=True, return_inverse=True)
        return dict(zip(values, first.tolist(), strict=True)), places.reshape(-1)
    texts = [_text(value) if isinstance(value, (str, bytes)) else value for value in column]
    order = {value: place for place, value in enumerate(dict.fromkeys(texts))}
    places = np.fromiter((order[value] for value in texts), np.int64, len(texts))
    first = np.unique(places, return_index=True)[1]
    return dict(zip(order, first.tolist(), strict=True)), places


def _keys(distinct: dict[Any, int], where: str, place: Place) -> list[int] | list[str]:
    """Each value as a number where all are whole numbers, else each as text."""
    numbers: dict[int, Any] = {}
    refused: list[str] = []
    for value, first in distinct.items():
        if value is None or value != value or str(value).casefold() in _NOTHING:
            raise UserError(f"{where}: {place(first)} has none ({str(value)!r})")
        try:
            number = whole_number(value)
        except ValueError as error:
            if not isinstance(value, str):
                raise UserError(f"{where}: {place(first)}: {error}") from None
            refused.append(f"{where}: {place(first)}: {error}")
            continue
        if number in numbers:
            raise UserError(
                f"{where}: {numbers[number]!r} and {value!r} ({place(first)}) are one number; "
                "write each identity in one way"
            )
        numbers[number] = value
    if not refused:
        return list(numbers)
    if all(_DECIMAL.fullmatch(str(value)) for value in distinct):
        raise UserError(f"{refused[0]}; an identity is a whole number or a name")
    return [str(value) for value in distinct]


def _marks(junk: str | int | None, distractor: str | int | None) -> dict[int | str, int]:
    """Marks, as numbers where they are some -> their code."""
    given = {JUNK: junk, DISTRACTOR: distractor}
    marks = {_simple(mark): code for code, mark in given.items() if mark is not None}
    if len(marks) < sum(mark is not None for mark in given.values()):
        raise ValueError(f"junk and distractor are both {junk}; an identity marks one or the other")
    return marks


def _code(key: int | str, marks: dict[int | str, int]) -> int | None:
    return marks.get(_simple(key)) if marks else None


def _simple(value: Any) -> int | str:
    try:
        return whole_number(value)
    except ValueError:
        return _text(value)


def _negative(key: int | str) -> bool:
    simple = _simple(key)
    return isinstance(simple, int) and simple < 0


def _negative_text(where: str, value: Any, place: str, option: str) -> str:
    """What is said of a person with a negative number."""
    return (
        f"{where}: {value} ({place}) is negative, as no identity is; say what it marks: "
        f"{option.format('junk')}{value} (left out for every query) or "
        f"{option.format('distractor')}{value} (nobody who is looked for)"
    )


def _renumbered(people: Sequence[Any], spelling: dict[Any, Any], option: str) -> str:
    """What is said of people that are numbered anew."""
    count = f"{len(people):,} identities are numbered from 1 in sorted order"
    if isinstance(people[0], str):
        first = next(key for key in people if not isinstance(_simple(key), int))
        return f"identities are names such as {first!r}; {count}"
    if people[0] == 0:
        return (
            f"identity {spelling[0]} is one like any other, so {count}; if it marks "
            f"distractors, say so: {option.format('distractor')}{spelling[0]}"
        )
    return f"{people[-1]} does not fit into 64 bits, so {count}"
