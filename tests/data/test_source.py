"""Resolution of `data.source`: the source, the announced line, errors, and the time limit of the network check."""

import os
import socket
import subprocess
import sys
import time

import numpy as np
import pytest

from seqtasks.core.errors import ConfigError, DataError
from seqtasks.data import cache, network
from seqtasks.data.resolve import check_source, resolve_source
from seqtasks.data.source import Source, prepared_folder


@pytest.fixture(autouse=True)
def alone(tmp_path, monkeypatch):
    """Without network, prepared data or cached data."""
    monkeypatch.setattr(network, "HOSTS", [f"http://127.0.0.1:{closed_port()}/"])
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "tfds"))
    monkeypatch.setenv("SEQTASKS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def closed_port():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return server.getsockname()[1]


def prepare(folder, *versions):
    for version in versions:
        (folder / version).mkdir(parents=True)
        (folder / version / "dataset_info.json").write_text("{}")


def resolve(spec, announced=None, **changes):
    task = {"tfds": "mnist", "files": True, "builtin": "digits"} | changes
    return resolve_source(spec, announce=(announced if announced is not None else []).append, **task)


def test_text_of_a_source_is_split_into_streams(tmp_path):
    assert str(Source("tfds", "mnist", tmp_path)) == "tfds:mnist"
    assert str(Source("builtin", "digits")) == "builtin:digits"
    assert str(Source("files", str(tmp_path), tmp_path)) == f"files:{tmp_path}"


def test_a_built_in_set_is_also_known_by_the_name_that_rows_have():
    assert resolve("builtin:digits") == Source("builtin", "digits")
    with pytest.raises(ConfigError, match=r"unknown data\.source=builtin:letters"):
        resolve("builtin:letters")


@pytest.mark.parametrize("spec", ["auto", "tfds", "tfds:mnist"])
def test_prepared_data_is_found(tmp_path, spec):
    prepare(tmp_path / "tfds" / "mnist", "3.0.1")
    announced = []
    assert resolve(spec, announced) == Source("tfds", "mnist", tmp_path / "tfds")
    assert announced == [f"data: tfds:mnist, prepared in {tmp_path / 'tfds' / 'mnist' / '3.0.1'}"]


def test_the_setting_wins_over_the_environment(tmp_path):
    prepare(tmp_path / "tfds" / "mnist", "3.0.1")
    prepare(tmp_path / "mine" / "mnist", "3.0.1")
    assert resolve("tfds", tfds_dir=str(tmp_path / "mine")).folder == tmp_path / "mine"


def test_the_newest_version_is_read_and_half_folders_are_not(tmp_path):
    prepare(tmp_path / "mnist", "3.0.9", "3.0.10", "3.0.11.incompleteX")
    (tmp_path / "mnist" / "4.0.0").mkdir()
    assert prepared_folder(Source("tfds", "mnist", tmp_path)).name == "3.0.10"


def test_configurations_are_found_by_name_or_by_default(tmp_path):
    prepare(tmp_path / "reviews" / "plain", "1.0.0")
    assert prepared_folder(Source("tfds", "reviews", tmp_path)) is None
    assert prepared_folder(Source("tfds", "reviews/plain", tmp_path)).name == "1.0.0"
    (tmp_path / "reviews" / ".config").mkdir()
    (tmp_path / "reviews" / ".config" / "metadata.json").write_text('{"default_config_name": "plain"}')
    assert prepared_folder(Source("tfds", "reviews", tmp_path)).parent.name == "plain"


def test_decoded_arrays_are_enough():
    announced = []
    cache.cached("tfds:mnist train image 3.0.1 0123", lambda: {"train/image": np.zeros(1)})
    assert str(resolve("auto", announced)) == "tfds:mnist"
    assert "decoded in the cache" in announced[0]


def test_auto_falls_back_and_says_why():
    announced = []
    assert resolve("auto", announced) == Source("builtin", "digits")
    assert announced == ["data: built-in set builtin:digits (tfds:mnist is not prepared and there is no network)"]


def test_auto_of_a_task_without_tfds():
    announced = []
    assert str(resolve("auto", announced, tfds=None)) == "builtin:digits"
    assert "this task has no tensorflow-datasets set" in announced[0]
    with pytest.raises(ConfigError, match="files:DIR"):
        resolve("auto", tfds=None, builtin=None)


def test_tfds_without_data_or_network_is_an_error_soon(tmp_path):
    start = time.monotonic()
    with pytest.raises(DataError, match=r"not prepared in .*no network; set TFDS_DATA_DIR or data.tfds_dir=") as caught:
        resolve("tfds")
    assert time.monotonic() - start < 6
    assert str(tmp_path / "tfds") in str(caught.value) and "data.source=builtin" in str(caught.value)
    assert not (tmp_path / "tfds").exists()


def test_builtin_is_announced_too():
    announced = []
    assert str(resolve("builtin", announced)) == "builtin:digits"
    assert announced == ["data: built-in set builtin:digits"]


def test_files_are_resolved_to_an_absolute_folder(tmp_path, monkeypatch):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "a.txt").write_text("a")
    monkeypatch.chdir(tmp_path)
    assert str(resolve("files:mine")) == f"files:{(tmp_path / 'mine').resolve()}"


@pytest.mark.parametrize(
    ("name", "problem"), [("nowhere", "does not exist"), ("file", "is a file"), ("empty", "is empty")]
)
def test_a_folder_that_cannot_be_read_is_named(tmp_path, name, problem):
    (tmp_path / "file").write_text("")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=problem) as caught:
        resolve(f"files:{tmp_path / name}")
    assert str(tmp_path / name) in str(caught.value)


@pytest.mark.parametrize(
    ("spec", "task", "expected"),
    [
        ("tfd", {}, "did you mean tfds.*auto, tfds, tfds:mnist, builtin, files:DIR"),
        ("banana", {}, "unknown data.source=banana; allowed"),
        ("", {}, "unknown data.source="),
        ("files", {}, "did you mean files:DIR"),
        ("files:", {}, "names no folder"),
        ("tfds:imdb_reviews", {}, "reads tfds:mnist"),
        ("tfds", {"tfds": None}, "allowed for this task: auto, builtin, files:DIR"),
        ("builtin", {"builtin": None}, "unknown data.source=builtin"),
        ("files:x", {"files": False}, "unknown data.source=files:x"),
    ],
)
def test_a_wrong_spec_tells_what_is_allowed(spec, task, expected):
    with pytest.raises(ConfigError, match=expected):
        resolve(spec, **task)


@pytest.mark.parametrize("files", [True, "any"])
def test_a_path_that_does_not_exist_suggests_its_neighbours(tmp_path, monkeypatch, files):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "reviews.csv").write_text("a")
    (tmp_path / "archive").mkdir()
    taken = "a file or folder with the data" if files == "any" else "a folder with the data"
    with pytest.raises(DataError, match=rf"nowhere.csv does not exist; give {taken}$"):
        resolve("files:nowhere.csv", files=files)
    close = "reviews.csv" if files == "any" else None
    with pytest.raises(DataError, match=f"{f'did you mean files:{close}. ' if close else 'exist; '}give {taken}$"):
        resolve("files:review.csv", files=files)
    with pytest.raises(DataError, match=rf"did you mean files:{tmp_path}/archive\? give {taken}$"):
        resolve(f"files:{tmp_path}/archiv", files=files)
    with pytest.raises(DataError, match=f"does not exist; give {taken}$"):
        resolve("files:no/such/reviews.csv", files=files)


def test_a_path_without_its_kind_suggests_the_kind(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "reviews.csv").write_text("a")
    (tmp_path / "mine").mkdir()
    hint = r"unknown data\.source=reviews\.csv; did you mean files:reviews\.csv\? allowed for this task: auto, tfds"
    for facts in ({"files": "any"}, {}):
        with pytest.raises(ConfigError, match=hint):
            check_source("reviews.csv", facts)
    with pytest.raises(ConfigError, match=r"did you mean files:mine\?"):
        check_source("mine", {"files": True})
    for spec, facts in (("reviews.csv", {"files": True}), ("mine", {"files": False}), ("nowhere.csv", {})):
        with pytest.raises(ConfigError, match=f"unknown data.source={spec}; allowed"):
            check_source(spec, facts)


def test_unknown_facts_of_a_task_refuse_nothing(tmp_path):
    for spec in ("auto", "tfds", "tfds:anything", "builtin"):
        check_source(spec, {})
    (tmp_path / "one.txt").write_text("a")
    check_source(f"files:{tmp_path / 'one.txt'}", {})
    with pytest.raises(DataError, match="is a file"):
        check_source(f"files:{tmp_path / 'one.txt'}", {"files": True})
    with pytest.raises(ConfigError, match="allowed for this task: auto, tfds, tfds:NAME, builtin, files:PATH"):
        check_source("web", {})
    with pytest.raises(DataError, match="does not exist"):
        check_source(f"files:{tmp_path / 'nowhere'}", {})


def test_of_many_sets_the_nearest_are_named():
    names = tuple(f"talks/{name}_to_en" for name in ("az", "be", "gl", "pt", "ru", "tr", "de", "it", "nl"))
    with pytest.raises(ConfigError) as caught:
        check_source("tfds:talks/pr_to_en", {"tfds": names})
    assert str(caught.value).count("_to_en") <= 4 and "tfds:talks/pt_to_en" in str(caught.value)
    with pytest.raises(ConfigError, match="allowed for this task: auto, tfds, tfds:NAME, builtin, files:PATH"):
        check_source("web", {"tfds": names})


def test_finding_data_imports_nothing_slow():
    code = (
        "import sys; from seqtasks.data import resolve, tfds; "
        "print({'keras', 'tensorflow', 'tensorflow_datasets'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("x" * 300, "cannot be used as a path: File name too long"),
        ("a\0b", "null byte"),
        (os.fsdecode(b"caf\xe9"), r"the name of .*caf\\udce9 is not UTF-8; rename the folder"),
        ("~nobody_of_that_name/x", "give a file or folder"),
    ],
)
def test_names_that_no_folder_or_no_row_can_have(name, message):
    with pytest.raises((ConfigError, DataError), match=message):
        resolve_source(f"files:{name}", tfds=None, files="any", builtin=None)
