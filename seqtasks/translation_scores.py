"""Scores of translations by sacrebleu (https://github.com/mjpost/sacrebleu), and what simple methods reach."""

from __future__ import annotations

from collections.abc import Sequence

Lines = Sequence[str]


def translation_scores(found: Lines, wanted: Lines) -> dict[str, float]:
    """Corpus BLEU and chrF, cased and detokenised, from 0 to 100, and the share of lines that are right to the letter.

    Args:
        found: translations.
        wanted: references, as many.
    """
    import sacrebleu

    return {
        "bleu": float(sacrebleu.corpus_bleu(list(found), [list(wanted)]).score),
        "chrf": float(sacrebleu.corpus_chrf(list(found), [list(wanted)]).score),
        "exact": sum(a == b for a, b in zip(found, wanted, strict=True)) / len(wanted),
    }


def signature() -> str:
    """How sacrebleu computes BLEU here, in its own words."""
    from sacrebleu.metrics.bleu import BLEU

    metric = BLEU()
    metric.corpus_score(["a"], [["a"]])  # only then it knows the number of references
    return str(metric.get_signature())


def word_by_word(train: tuple[Lines, Lines], sources: Lines, rounds: int = 5) -> tuple[list[str], int]:
    """Each word of a line as its likeliest translation, by IBM model 1 of NLTK (https://www.nltk.org).

    Reference: Brown et al. 1993, https://aclanthology.org/J93-2003/

    Args:
        train: lines of both languages.
        sources: lines to translate; a word that training has not is copied.
        rounds: of expectation maximisation.

    Returns:
        Translations, and how many pairs of words have a probability.
    """
    from nltk.translate import AlignedSent, IBMModel1

    pairs = [AlignedSent(b.split(), a.split()) for a, b in zip(*train, strict=True)]
    table = IBMModel1(pairs, rounds).translation_table  # p(target word | source word)
    best: dict[str | None, tuple[float, str]] = {}
    size = 0
    for target, row in table.items():
        size += len(row)
        for source, p in row.items():
            best[source] = max(best.get(source, (0.0, "")), (p, target))
    return [" ".join(best.get(word, (0.0, word))[1] for word in line.split()) for line in sources], size
