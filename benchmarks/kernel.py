"""The loop in C alone, forward and backward, against the machine's matrix product.

    python benchmarks/kernel.py
    python benchmarks/kernel.py --cell gru --shapes char --threads 1

One layer of each shape of `seqtasks.bench`, with random data and no mask: a run, its way back with
the gradients of inputs, and NumPy's product of 1024 × 1024, in turn. Operations are those of the
matrix products; the share is of the best product of the same run.
"""

from __future__ import annotations

import argparse
import os
import time

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shapes", default="mnist,char,imdb,ptb")
    parser.add_argument("--cell", choices=["lstm", "gru", "simple_rnn"], default="lstm")
    parser.add_argument("--rounds", type=int, default=31)
    parser.add_argument("--threads", type=int, help="default: all cores")
    given = parser.parse_args()
    if given.threads:  # before NumPy is imported
        os.environ.update(dict.fromkeys(THREADS, str(given.threads)))

    import numpy as np

    from seqtasks.bench.shapes import SHAPES
    from seqtasks.engines import native
    from seqtasks.engines.native import library, numpy_bridge

    if library.library() is None:
        raise SystemExit("the loop in C was not built")
    print(f"{given.cell}, {library.instructions()}, {library.threads()} threads, {given.rounds} rounds, medians")
    for name in given.shapes.split(","):
        shape, rng, kind = SHAPES[name], np.random.default_rng(0), native.KINDS[given.cell]
        batch, steps, features, units = shape.batch, shape.time, shape.features, shape.units
        width = library.GATES[kind] * units

        def of(*sizes: int, rng: np.random.Generator = rng) -> np.ndarray:
            array = numpy_bridge.empty(sizes)
            array[...] = 0.1 * rng.normal(size=sizes)
            return array

        b = of(3 * units) if kind in library.HAS_B else None
        c0 = of(batch, units) if kind in library.HAS_C else None
        weights = of(features, width), of(width), of(units, width), b
        loop = numpy_bridge.Loop(kind, False, of(batch, steps, features), *weights, of(batch, units), c0, None)
        output_gradients = numpy_bridge.Results(of(batch, steps, units), of(batch, units), of(batch, units))
        square, times = of(1024, 1024), {"product": [], "forward": [], "backward": []}
        for _ in range(given.rounds):
            begin = time.perf_counter()
            np.matmul(square, square)
            times["product"].append(time.perf_counter() - begin)
            time.sleep(0.1)  # its threads spin for a while
            numpy_bridge.forward(loop)
            begin = time.perf_counter()
            (states,) = numpy_bridge.forward(loop)
            times["forward"].append(time.perf_counter() - begin)
            begin = time.perf_counter()
            (gradients,) = numpy_bridge.backward([loop], [states], [output_gradients])
            numpy_bridge.inputs([loop], [gradients.gate_grads])
            times["backward"].append(time.perf_counter() - begin)
        peak = 2 * 1024**3 / min(times["product"])
        operations = 6.0 * batch * steps * (features + units) * width
        both = np.array(times["forward"]) + np.array(times["backward"])
        low, middle, high = np.percentile(operations / both / peak, [25, 50, 75])
        forward, backward = (1000 * float(np.median(times[part])) for part in ("forward", "backward"))
        print(
            f"{name:6} forward {forward:6.1f} ms  backward {backward:6.1f} ms  both {middle:.0%} "
            f"({low:.0%}-{high:.0%}) of {peak / 1e9:.0f} GFLOP/s"
        )


if __name__ == "__main__":
    main()
