"""What every test gets: a cache of its own, no window, quiet TensorFlow, the real data if there is any."""

import os
from pathlib import Path

# Before anything imports TensorFlow or matplotlib.
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["MPLBACKEND"] = "Agg"
# `python -m` in a test must not take the checkout for the installed package.
os.environ["PYTHONSAFEPATH"] = "1"

import pytest


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory):
    """Nothing is read from, or written to, the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEQTASKS_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def tfds_dir() -> Path:
    """The folder of prepared tensorflow-datasets; skips where there is none."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data" / "tfds"
    folder = Path(os.environ.get("TFDS_DATA_DIR") or beside)
    if not folder.is_dir():
        pytest.skip("no prepared data: set TFDS_DATA_DIR")
    return folder


@pytest.fixture
def cli(monkeypatch, capsys, tmp_path):
    """Runs a command line in this process, in an empty folder; gives exit code, output and errors."""
    monkeypatch.chdir(tmp_path)

    def call(*words: str) -> tuple[int, str, str]:
        from seqtasks import app, cli

        monkeypatch.setattr("sys.argv", ["seqtasks", *map(str, words)])
        monkeypatch.setattr(app, "_debug", False)
        try:
            cli.main()
            code = 0
        except SystemExit as stop:
            code = int(stop.code or 0)
        out, err = capsys.readouterr()
        return code, out, err

    return call
