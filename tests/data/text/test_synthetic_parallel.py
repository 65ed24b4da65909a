"""Numbers and dates in two languages: forms checked by hand, and distinct texts for distinct numbers."""

import pytest

from seqtasks.data.text.synthetic_parallel import LARGEST, english, english_date, german, german_date, pairs


@pytest.mark.parametrize(
    ("n", "one", "other"),
    [
        (0, "zero", "null"),
        (1, "one", "eins"),
        (16, "sixteen", "sechzehn"),
        (17, "seventeen", "siebzehn"),
        (20, "twenty", "zwanzig"),
        (21, "twenty-one", "einundzwanzig"),
        (30, "thirty", "dreißig"),
        (66, "sixty-six", "sechsundsechzig"),
        (77, "seventy-seven", "siebenundsiebzig"),
        (100, "one hundred", "einhundert"),
        (101, "one hundred and one", "einhunderteins"),
        (342, "three hundred and forty-two", "dreihundertzweiundvierzig"),
        (1000, "one thousand", "eintausend"),
        (1001, "one thousand and one", "eintausendeins"),
        (12_345, "twelve thousand three hundred and forty-five", "zwölftausenddreihundertfünfundvierzig"),
        (21_000, "twenty-one thousand", "einundzwanzigtausend"),
        (101_000, "one hundred and one thousand", "einhunderteinstausend"),
        (
            LARGEST,
            "nine hundred and ninety-nine thousand nine hundred and ninety-nine",
            "neunhundertneunundneunzigtausendneunhundertneunundneunzig",
        ),
    ],
)
def test_numbers(n, one, other):
    assert (english(n), german(n)) == (one, other)


@pytest.mark.parametrize(
    ("date", "one", "other"),
    [
        ((1, 1, 1900), "the first of January nineteen hundred", "der erste Januar neunzehnhundert"),
        ((3, 5, 1998), "the third of May nineteen ninety-eight", "der dritte Mai neunzehnhundertachtundneunzig"),
        ((7, 3, 1105), "the seventh of March eleven oh five", "der siebte März elfhundertfünf"),
        ((12, 12, 1812), "the twelfth of December eighteen twelve", "der zwölfte Dezember achtzehnhundertzwölf"),
        ((20, 6, 1740), "the twentieth of June seventeen forty", "der zwanzigste Juni siebzehnhundertvierzig"),
        ((21, 7, 1211), "the twenty-first of July twelve eleven", "der einundzwanzigste Juli zwölfhundertelf"),
        ((30, 9, 1999), "the thirtieth of September nineteen ninety-nine",
         "der dreißigste September neunzehnhundertneunundneunzig"),
    ],
)  # fmt: skip
def test_dates(date, one, other):
    assert (english_date(*date), german_date(*date)) == (one, other)


def test_no_two_numbers_are_written_alike():
    numbers = [*range(2000), *range(2000, LARGEST, 997)]
    assert len({english(n) for n in numbers}) == len({german(n) for n in numbers}) == len(numbers)


def test_the_seed_decides():
    assert pairs(50, 1) == pairs(50, 1) != pairs(50, 2)
    one, other = pairs(400, 0)
    assert len(one) == len(other) == 400
    assert 0.3 < sum("the " in line for line in one) / 400 < 0.7
