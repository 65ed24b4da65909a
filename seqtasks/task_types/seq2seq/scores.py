"""BLEU and chrF by sacrebleu, and simple translation baselines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Lines = Sequence[str]


def line_scores(predicted: Lines, wanted: Sequence[Lines]) -> dict[str, float]:
    """Corpus BLEU and chrF, cased and detokenised, from 0 to 100, and the share of lines that are right to the letter.

    Args:
        predicted: lines.
        wanted: for each line those that are right, one or more.
    """
    import sacrebleu

    most = max(map(len, wanted))  # sacrebleu wants streams of references, with gaps where there are fewer
    streams: Any = [[right[i] if i < len(right) else None for right in wanted] for i in range(most)]
    return {
        "bleu": float(sacrebleu.corpus_bleu(list(predicted), streams).score),
        "chrf": float(sacrebleu.corpus_chrf(list(predicted), streams).score),
        "exact": sum(line in right for line, right in zip(predicted, wanted, strict=True)) / len(wanted),
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
