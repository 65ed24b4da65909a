"""Training steps of LSTM and GRU models: engines of seqtasks, stock Keras on TensorFlow and JAX, PyTorch.

    python benchmarks/engines.py
    python benchmarks/engines.py --shapes char,ptb --cell gru --rounds 20 --threads 1
    python benchmarks/engines.py --markdown engines.md --picture engines.png

Each contender has a process of its own and trains the same model (embedding, recurrent
layers, softmax, Adam) on the same random batches. In a round each has a turn, a fifth of a
second of steps or one longer step, while the others wait, so a machine that slows down slows
all; what counts is the ratio of mean times round by round, its median and quartiles. GFLOP/s
count the matrix products of the model at real steps, also those that an engine finds a way to
do without; the peak is NumPy's product of 1024 × 1024, the best turn of the same run.
`imdb_lengths` has the lengths of IMDB's reviews, a batch of similar ones at a time: masks for
Keras, packed sequences for PyTorch. JAX and PyTorch take part where they are installed.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from seqtasks.bench import report
from seqtasks.bench.contenders import NAMES, is_installed
from seqtasks.bench.race import TURN, Race, race
from seqtasks.bench.shapes import SHAPES


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shapes", default=",".join(SHAPES), help=f"of {', '.join(SHAPES)}")
    parser.add_argument("--cell", choices=["lstm", "gru", "simple_rnn"], default="lstm")
    parser.add_argument("--contenders", default="native,loop,stock,stock-jax,torch", help=f"of {', '.join(NAMES)}")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument(
        "--turn", type=float, default=TURN, help="seconds of steps of each contender in a round; %(default)s"
    )
    parser.add_argument("--threads", type=int, help="of each contender; default: all cores")
    parser.add_argument("--markdown", type=Path, help="write a table into this file")
    parser.add_argument("--picture", type=Path, help="draw a PNG")
    given = parser.parse_args()
    names = [name for name in given.contenders.split(",") if is_installed(name)]
    races: dict[str, Race] = {}
    for name in given.shapes.split(","):
        raced = races[name] = race(
            SHAPES[name].of(cell=given.cell), names, given.rounds, given.threads, turn=given.turn
        )
        print(f"\n{name}, {given.cell}; {len(raced.seconds[names[0]])} rounds; peak {raced.peak / 1e9:.0f} GFLOP/s")
        for row in [list(report.HEAD), *report.rows(raced)]:
            print(f"{row[0]:28} {row[1]:>8} {row[2]:>15} {row[3]:>8} {row[4]:>8} {row[5]:>6}")
        for line in report.ratios(raced, names[0]):
            print(line)
        for loser, why in raced.failed.items():
            print(f"{loser} did not run: {why}")
    if given.markdown:
        given.markdown.write_text(report.markdown(races, names[0]) + "\n", encoding="utf-8")
    if given.picture:
        report.picture(races, given.picture)


if __name__ == "__main__":
    main()
