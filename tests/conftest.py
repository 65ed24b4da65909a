"""What every test gets: a cache of its own, no window, quiet TensorFlow, the real data if there is any."""

import ctypes
import gc
import os
import signal
import sys
from collections import Counter
from pathlib import Path

# Before anything imports TensorFlow or matplotlib.
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["MPLBACKEND"] = "Agg"
# `python -m` in a test must not take the checkout for the installed package.
os.environ["PYTHONSAFEPATH"] = "1"
if "PYTEST_XDIST_WORKER" in os.environ:  # as many processes as cores: more threads would only wait for each other
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
# Optimising each of the many small programs would take longer than running them.
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")

import pytest

from .cell_choice import THIRDS, chosen_cells, chosen_third, in_third

# Building graphs makes so many objects that looking for garbage takes a tenth of the time.
gc.set_threshold(100_000, 50, 100)
CELLS, THIRD = pytest.StashKey[tuple](), pytest.StashKey[str]()
DRAW, MEMORY = pytest.StashKey(), pytest.StashKey[list]()
PLAIN = pytest.StashKey[bool]()


def pytest_addoption(parser):
    help = "of tests over many cells, tasks or shapes: all, or a third; default: a third that the commit chooses"
    parser.addoption("--third", choices=["all", *THIRDS], help=help)


def pytest_configure(config):
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # as a shell starts what runs in the background
        signal.signal(signal.SIGINT, signal.default_int_handler)  # tests send it
    config.addinivalue_line("markers", "pictures: the runs of the test draw their pictures, which others leave out")
    config.addinivalue_line("markers", "each_cell: for the cells that --third chooses; the parameter is `name`")
    config.addinivalue_line("markers", "a_third: of the parameters of the test, the third that --third chooses")
    if hasattr(config, "workerinput"):  # of pytest-xdist: all processes collect the same tests
        config.stash[CELLS], config.stash[THIRD] = config.workerinput["cells"], config.workerinput["third"]
    else:
        by_hand = bool(config.option.keyword) or any("::" in word for word in config.args)
        config.stash[THIRD] = chosen_third(config.option.third, by_hand)
        config.stash[CELLS] = chosen_cells(config.stash[THIRD])


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node):
    node.workerinput["cells"], node.workerinput["third"] = node.config.stash[CELLS], node.config.stash[THIRD]


def pytest_report_header(config):
    return config.stash[CELLS][1]


def pytest_collection_modifyitems(config, items):
    """Leaves out the tests of cells that are not chosen, and the parameters of the other thirds."""
    chosen, places = set(config.stash[CELLS][0]), Counter()
    kept, others = [], []
    for item in items:
        keep = True
        if item.get_closest_marker("each_cell"):
            keep = item.callspec.params["name"] in chosen
        elif item.get_closest_marker("a_third") and not item.get_closest_marker("slow"):
            name = item.nodeid.split("[")[0]
            keep = in_third(places[name], config.stash[THIRD])
            places[name] += 1
        (kept if keep else others).append(item)
    config.hook.pytest_deselected(items=others)
    items[:] = kept


def pytest_collection_finish(session):
    gc.freeze()  # what was imported stays for good: no collection looks through it, which would take a second


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    """Runs draw pictures in tests marked `pictures` only: drawing takes a fifth of the time of a short run."""
    drawing = sys.modules.get("seqtasks.training.drawing")
    if drawing is not None:
        draw = item.session.stash.setdefault(DRAW, drawing.draw)
        drawing.draw = draw if item.get_closest_marker("pictures") else lambda *arguments: None
    # Rewriting a graph takes longer than running it a few times. Processes that tests start leave it on.
    tensorflow = sys.modules.get("tensorflow")
    if hasattr(tensorflow, "config") and PLAIN not in item.session.stash:
        tensorflow.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
        item.session.stash[PLAIN] = True


def memory(entry: str) -> int:
    """Memory of this process in MB: `VmRSS`, what it holds; `VmHWM`, the most it held. 0 where Linux does not run."""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.is_file() else []
    return next((int(line.split()[1]) // 1024 for line in lines if line.startswith(entry)), 0)


def collect() -> None:
    """Collects garbage, and returns freed memory to the system."""
    gc.collect()
    if sys.platform == "linux":
        ctypes.CDLL(None).malloc_trim(0)
    collect.left = memory("VmRSS")


collect.left = 0


def pytest_runtest_logfinish():
    """Models and graphs are cycles of objects: a hundred MB of them are collected before the module ends."""
    if memory("VmRSS") > collect.left + 100 and "keras.src.backend" in sys.modules:
        collect()


def pytest_sessionfinish(session):
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["memory"] = memory("VmHWM")


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node, error):
    node.config.stash.setdefault(MEMORY, []).append(getattr(node, "workeroutput", {}).get("memory", 0))


def pytest_terminal_summary(terminalreporter, config):
    most = config.stash.get(MEMORY, [memory("VmHWM")])
    terminalreporter.write_line(f"memory of the processes, at most: {', '.join(map(str, most))} MB")


@pytest.fixture(scope="module", autouse=True)
def freed_memory():
    """Models and compiled functions of a module of tests are freed before the next module."""
    yield
    if "keras.src.backend" in sys.modules:
        from seqtasks.core.keras_import import free_memory

        free_memory()
        collect.left = memory("VmRSS")


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory):
    """Nothing is read from, or written to, the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEQTASKS_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def real_cache(tmp_path_factory) -> Path:
    """Where decoded real data is kept."""
    return tmp_path_factory.mktemp("real")


@pytest.fixture
def tfds_dir(real_cache, monkeypatch) -> Path:
    """The folder of prepared tensorflow-datasets; skips where there is none.

    What a test decodes of it, no test without this fixture finds: `data.source=auto` takes what was
    decoded before, and would be another one depending on the order of the tests.
    """
    beside = Path(__file__).resolve().parents[2] / "shared" / "data" / "tfds"
    folder = Path(os.environ.get("TFDS_DATA_DIR") or beside)
    if not folder.is_dir():
        pytest.skip("no prepared data: set TFDS_DATA_DIR")
    monkeypatch.setenv("SEQTASKS_CACHE", str(real_cache))
    return folder


@pytest.fixture
def cli(monkeypatch, capsys, tmp_path):
    """Runs a command line in this process, in an empty folder; gives exit code, output and errors."""
    monkeypatch.chdir(tmp_path)

    def call(*words: str) -> tuple[int, str, str]:
        from seqtasks.cli import app, main

        monkeypatch.setattr("sys.argv", ["seqtasks", *map(str, words)])
        monkeypatch.setattr(app, "_debug", False)
        try:
            main.main()
            code = 0
        except SystemExit as stop:
            code = int(stop.code or 0)
        out, err = capsys.readouterr()
        return code, out, err

    return call
