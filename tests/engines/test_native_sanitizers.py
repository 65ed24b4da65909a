"""The loop in C compiled with sanitizers: no wrong address, no undefined behaviour, no race between threads."""

import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from seqtasks.engines.native import library

COMPILER = shutil.which(os.environ.get("CC", "cc").split()[0])
SOURCE = Path(__file__).resolve().parents[2] / "seqtasks/engines/native/kernel.c"
FLAGS = ("-shared", "-fPIC", "-O1", "-g", "-fno-omit-frame-pointer", "-fno-sanitize-recover=undefined", "-pthread")

RUN = textwrap.dedent(
    """
    import ctypes, importlib.util, sys, types
    import numpy as np

    # The package without what its __init__.py files import: TensorFlow does not run under a sanitizer.
    (folder,) = importlib.util.find_spec("seqtasks").submodule_search_locations
    for path in ("", "/engines", "/engines/native"):
        name = "seqtasks" + path.replace("/", ".")
        sys.modules[name] = types.ModuleType(name)
        sys.modules[name].__path__ = [folder + path]

    from seqtasks.engines.native import library, numpy_bridge
    from native_shapes import drawn, stack, states_of
    from seqtasks.engines.native.text_generation import NativeTextGenerator

    found = ctypes.CDLL(sys.argv[1])
    found.seqtasks_chosen.restype = ctypes.c_char_p
    found.seqtasks_packed.restype = ctypes.c_int64
    library.library = lambda: found
    rng = np.random.default_rng(0)
    for name in ("avx512", "avx2", "portable"):
        if library.choose(name):
            for trial in range(int(sys.argv[2])):
                library.threads = lambda: 1 + trial % 4
                pairs = [drawn(rng, trial % 6) for _ in range(1 + trial % 2)]
                loops, wanted = map(list, zip(*pairs))
                states = numpy_bridge.forward(*loops)
                back = numpy_bridge.backward(loops, states, wanted)
                for loop, one in zip(loops, back):
                    if loop.tokens is None:
                        numpy_bridge.inputs([loop], [one.gate_grads])
                batch, units, words = (int(rng.integers(1, most)) for most in (5, 70, 80))
                parts = stack(rng, trial % 6, units, words, bool(trial % 2))
                writer, states = NativeTextGenerator(*parts), states_of(rng, parts[1], batch)
                writer._threads = library.threads
                limits = [(1.0,), (0.0,), (0.7, 3), (0.7, None, 0.5)][trial % 4]
                writer(rng.normal(size=(batch, words)), states, rng.random((9, batch)), *limits)
    print("finished")
    """
)


@pytest.mark.skipif(COMPILER is None or sys.platform != "linux", reason="needs a C compiler of Linux")
@pytest.mark.skipif(library.library() is None, reason="the loop in C was not built")
@pytest.mark.slow
@pytest.mark.parametrize(("sanitizer", "runtime"), [("address,undefined", "libasan.so"), ("thread", "libtsan.so")])
def test_the_kernel_has_no_undefined_behaviour(sanitizer, runtime, tmp_path):
    built = tmp_path / "kernel.so"
    command = [COMPILER, *FLAGS, f"-fsanitize={sanitizer}", str(SOURCE), "-o", str(built)]
    made = subprocess.run(command, capture_output=True, text=True)
    asked = subprocess.run([COMPILER, f"-print-file-name={runtime}"], capture_output=True, text=True)
    if made.returncode or not Path(asked.stdout.strip()).is_absolute():
        pytest.skip(f"this compiler has no {runtime}")
    environment = {
        **os.environ,
        "LD_PRELOAD": asked.stdout.strip(),
        "ASAN_OPTIONS": "detect_leaks=0",
        "OPENBLAS_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), str(SOURCE.parents[3])]),
    }
    ran = subprocess.run(
        [sys.executable, "-c", RUN, str(built), "36"],
        capture_output=True,
        text=True,
        env=environment,
        timeout=300,
    )
    assert ran.stdout.strip().endswith("finished"), ran.stderr[-3000:]
    assert "Sanitizer" not in ran.stderr and "runtime error" not in ran.stderr, ran.stderr[-3000:]
    assert ran.returncode == 0
