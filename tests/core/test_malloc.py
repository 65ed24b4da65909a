"""Freed memory is used again without new pages."""

import subprocess
import sys

import pytest

CODE = """
import resource
import numpy as np
from seqtasks.core.keras_import import keep_freed, return_freed
told = {told} and keep_freed()
if {returned}:
    return_freed()
def touch():
    np.empty(64 * 2**20, np.uint8).fill(1)
touch()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    touch()
print(told, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def run(told, returned=False, **env):
    code = CODE.format(told=told, returned=returned)
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=env,
        capture_output=True,
        text=True,
        check=True,
    )
    said, faults = done.stdout.split()
    return said == "True", int(faults)


@pytest.mark.skipif(sys.platform != "linux", reason="glibc only")
def test_pages_are_touched_once():
    told, few = run(told=True)
    if not told:
        pytest.skip("another C library than glibc")
    _, many = run(told=False)
    # Pages may be huge, and then few.
    assert few * 4 < many
    _, again = run(told=True, returned=True)
    assert few * 4 < again


def test_what_the_user_set_is_left_alone():
    assert run(told=True, MALLOC_TOP_PAD_="0")[0] is False
