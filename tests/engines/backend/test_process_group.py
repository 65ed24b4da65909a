"""Two processes that add up, send and decide together."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys

import pytest

from seqtasks.engines.backend.process_group import share

pytest.importorskip("jax")

WORKER = """
import json, sys
import jax.numpy as jnp
import numpy as np
from seqtasks.engines.backend.process_group import ProcessGroup

group = ProcessGroup(sys.argv[1], 2, int(sys.argv[2]))
rank = group.rank
group.proposals = (lambda: rank == 1, lambda: False)
group.ask_all()
arrays = [np.array([rank + 0.1, -0.0, np.nan], np.float32), np.array([[7 + rank]], np.uint32), np.zeros(0, "int8")]
received = group.arrays_from_first(arrays)
print(json.dumps({
    "sum": np.asarray(group.sum_vector(jnp.array([[1.0 + rank, 10.0]]))).tolist(),
    "gathered": group.gather(np.array([rank, 5], np.uint32)).tolist(),
    "agreed": group.agreed,
    "first": [group.from_first({"a": [1.5, rank]}), group.from_first(rank)],
    "bytes": [array.tobytes().hex() for array in received],
    "types": [str(array.dtype) for array in received],
    "share": group.share(7),
}))
"""


@pytest.mark.slow
def test_processes_share_sums_values_and_decisions():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    env = {**os.environ, "KERAS_BACKEND": "jax"}
    children = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, address, str(rank)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env,
        )
        for rank in range(2)
    ]  # fmt: skip
    outputs = [child.communicate(timeout=120) for child in children]
    assert [child.returncode for child in children] == [0, 0], outputs
    first, second = (json.loads(output.splitlines()[-1]) for output, _ in outputs)
    assert first.pop("share") == [0, 3] and second.pop("share") == [3, 7]
    assert first == second
    assert first["sum"] == [3.0, 20.0]
    assert first["gathered"] == [[0, 5], [1, 5]]
    assert first["agreed"] == [True, False]
    assert first["first"] == [{"a": [1.5, 0]}, 0]
    assert first["bytes"] == ["cdcccc3d000000800000c07f", "07000000", ""]
    assert first["types"] == ["float32", "uint32", "int8"]


def test_shares_cover_every_row_once():
    for rows in range(12):
        for count in range(1, 6):
            shares = [share(rows, count, rank) for rank in range(count)]
            assert [row for begin, end in shares for row in range(begin, end)] == list(range(rows))
            sizes = [end - begin for begin, end in shares]
            assert max(sizes) - min(sizes) <= 1
