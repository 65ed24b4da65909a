"""Built-in parallel corpus: numbers and dates written out in English and German."""

from __future__ import annotations

import numpy as np

ENGLISH = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
ENGLISH_TENS = ["_", "_", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
GERMAN = [
    "null",
    "eins",
    "zwei",
    "drei",
    "vier",
    "fünf",
    "sechs",
    "sieben",
    "acht",
    "neun",
    "zehn",
    "elf",
    "zwölf",
    "dreizehn",
    "vierzehn",
    "fünfzehn",
    "sechzehn",
    "siebzehn",
    "achtzehn",
    "neunzehn",
]
GERMAN_TENS = ["_", "_", "zwanzig", "dreißig", "vierzig", "fünfzig", "sechzig", "siebzig", "achtzig", "neunzig"]
ENGLISH_ORDINALS = {1: "first", 2: "second", 3: "third", 5: "fifth", 8: "eighth", 9: "ninth", 12: "twelfth"}
GERMAN_ORDINALS = {1: "erste", 3: "dritte", 7: "siebte", 8: "achte"}
ENGLISH_MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
GERMAN_MONTHS = [
    "Januar",
    "Februar",
    "März",
    "April",
    "Mai",
    "Juni",
    "Juli",
    "August",
    "September",
    "Oktober",
    "November",
    "Dezember",
]
LARGEST = 999_999


def english(n: int) -> str:
    """A number from 0 to 999,999 in English words.

    Example:
        >>> from seqtasks.data.text.synthetic_parallel import english, german
        >>> english(342), german(342)
        ('three hundred and forty-two', 'dreihundertzweiundvierzig')
    """
    if n < 20:
        return ENGLISH[n]
    if n < 100:
        return ENGLISH_TENS[n // 10] + (f"-{ENGLISH[n % 10]}" if n % 10 else "")
    if n < 1000:
        return f"{ENGLISH[n // 100]} hundred" + (f" and {english(n % 100)}" if n % 100 else "")
    remainder = n % 1000
    return f"{english(n // 1000)} thousand" + (
        (" and " if remainder < 100 else " ") + english(remainder) if remainder else ""
    )


def german(n: int, last: bool = True) -> str:
    """A number from 0 to 999,999 in German words.

    Args:
        n: The number.
        last: Whether the number is the last part of a word; false: 1 is `ein` instead of `eins`.
    """
    if n == 1 and not last:
        return "ein"
    if n < 20:
        return GERMAN[n]
    if n < 100:
        return (f"{german(n % 10, last=False)}und" if n % 10 else "") + GERMAN_TENS[n // 10]
    if n < 1000:
        return f"{german(n // 100, last=False)}hundert" + (german(n % 100) if n % 100 else "")
    return f"{german(n // 1000, last=False)}tausend" + (german(n % 1000) if n % 1000 else "")


def english_date(day: int, month: int, year: int) -> str:
    """A date with a year from 1100 to 1999 in English, e.g. `the third of May nineteen ninety-eight`."""
    if day in ENGLISH_ORDINALS:
        ordinal = ENGLISH_ORDINALS[day]
    elif day < 20:
        ordinal = f"{ENGLISH[day]}th"
    elif day % 10:
        ordinal = f"{ENGLISH_TENS[day // 10]}-{ENGLISH_ORDINALS.get(day % 10, ENGLISH[day % 10] + 'th')}"
    else:
        ordinal = f"{ENGLISH_TENS[day // 10][:-1]}ieth"
    century, yy = english(year // 100), year % 100
    year_of_century = "hundred" if yy == 0 else f"oh {ENGLISH[yy]}" if yy < 10 else english(yy)
    return f"the {ordinal} of {ENGLISH_MONTHS[month - 1]} {century} {year_of_century}"


def german_date(day: int, month: int, year: int) -> str:
    """A date with a year from 1100 to 1999 in German, e.g. `der dritte Mai neunzehnhundertachtundneunzig`."""
    ordinal = GERMAN_ORDINALS.get(day, german(day) + ("te" if day < 20 else "ste"))
    hundreds = f"{german(year // 100, last=False)}hundert" + (german(year % 100) if year % 100 else "")
    return f"der {ordinal} {GERMAN_MONTHS[month - 1]} {hundreds}"


def pairs(count: int, seed: int) -> tuple[list[str], list[str]]:
    """Generates pairs of English and German lines, half numbers and half dates.

    Numbers have one to six digits; all numbers of digits are equally likely.

    Args:
        count: Number of pairs.
        seed: Random seed.

    Returns:
        The English and the German lines.
    """
    rng = np.random.default_rng(seed)
    english_lines, german_lines = [], []
    for _ in range(count):
        if rng.random() < 0.5:
            n = int(rng.integers(0, 10 ** int(rng.integers(1, 7))))
            english_lines.append(english(n))
            german_lines.append(german(n))
        else:
            date = int(rng.integers(1, 32)), int(rng.integers(1, 13)), int(rng.integers(1100, 2000))
            english_lines.append(english_date(*date))
            german_lines.append(german_date(*date))
    return english_lines, german_lines
