"""Which data a run reads: tensorflow-datasets, the user's own files, or a built-in set.

Importing this module, and finding data that is already there, imports no TensorFlow.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import queue
import re
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from seqtasks.data import cache
from seqtasks.errors import MANY, TASK_SETTINGS, ConfigError, DataError, suggest
from seqtasks.files import is_utf8, shown, usable

# tensorflow-datasets downloads from many hosts; one of these two answers wherever there is a network.
HOSTS = ["https://storage.googleapis.com/", "https://raw.githubusercontent.com/"]


@dataclass(frozen=True)
class Source:
    """One place to read from; its text stands in every result row.

    Attributes:
        kind: which reader.
        name: the tfds name, the folder as text, or the name of the built-in set.
        folder: the data folder of tensorflow-datasets, or the folder of files.
        limit: `data.limit`: the most training examples, and of a validation split of its own, that a reader returns.
        limit_test: `data.limit_test`: the same for the test split.
    """

    kind: Literal["tfds", "files", "builtin"]
    name: str
    folder: Path | None = None
    limit: int | None = None
    limit_test: int | None = None

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}"

    @property
    def limits(self) -> dict[str, int | None]:
        """The most examples of each split."""
        return {"train": self.limit, "validation": self.limit, "test": self.limit_test}

    def whole(self) -> Source:
        """The same source without limits, for examples that are composed of what is read."""
        return dataclasses.replace(self, limit=None, limit_test=None)


def tell(text: str) -> None:
    """The default announcement: one line on stderr."""
    print(text, file=sys.stderr)


def resolve(
    spec: str,
    *,
    tfds: str | Sequence[str] | None,
    files: bool | Literal["any"],
    builtin: str | None,
    tfds_dir: str | None = None,
    announce: Callable[[str], None] = tell,
) -> Source:
    """The source that `data.source` names; `auto` takes prepared data, a download, the built-in set.

    A download happens here, so that `auto` can still fall back when it fails.

    Args:
        spec: `auto`, `tfds`, `tfds:NAME`, `builtin` or `files:DIR`; also `builtin:NAME`, as result rows have it.
        tfds: the tensorflow-datasets names the task reads, if any; the first is the default.
        files: whether the task reads files; "any": a single one, too.
        builtin: the name of the task's built-in set, if any.
        tfds_dir: `data.tfds_dir`.
        announce: receives one line that says what was chosen and why.

    Raises:
        ConfigError: a spec that is unknown, or that this task has no reader for.
        DataError: the data is not there and cannot be fetched.
    """
    check(spec, {"tfds": tfds, "files": files, "builtin": builtin})
    if builtin is not None and spec == f"builtin:{builtin}":
        spec = "builtin"
    if spec.startswith("files:"):
        return _files(spec, files == "any", announce)
    names = _names(tfds)
    reason = "as asked" if spec == "builtin" else "this task reads no tfds set"
    if names and spec != "builtin":
        name = spec.removeprefix("tfds:") if spec.startswith("tfds:") else names[0]
        source = Source("tfds", name, data_dir(tfds_dir))
        problem = _obtain(source, announce)
        if problem is None:
            return source
        if spec != "auto" or builtin is None:
            raise unavailable(source, problem)
        reason = f"{source} is not prepared and {problem}"
    assert builtin is not None, "check lets no other source through"
    announce(f"data: {reason}; using the built-in set builtin:{builtin}")
    return Source("builtin", builtin)


def check(spec: str, facts: Mapping[str, Any]) -> None:
    """Refuses a `data.source` that cannot be right, without reading data or asking the network.

    Args:
        spec: see `resolve`.
        facts: `tfds`, `files` and `builtin` of the task, see `resolve`. What is not known
            is left out, and nothing is refused for it.

    Raises:
        ConfigError: a spec that is unknown, or that this task has no reader for.
        DataError: a folder of files that is missing or empty.
    """
    if spec.startswith("files:") and facts.get("files", True):
        _files(spec, facts.get("files", "any") == "any", announce=lambda text: None)
        return
    known = [f"tfds:{name}" for name in _names(facts["tfds"])] if "tfds" in facts else ["tfds:NAME"]
    forms = ["auto", *(["tfds", *known] if known else []), *(["builtin"] if facts.get("builtin", True) else [])]
    if spec == "auto" and len(forms) == 1:
        raise ConfigError("data.source=auto finds nothing for this task; give data.source=files:DIR")
    if spec in forms or (spec.startswith("tfds:") and "tfds" not in facts):
        return
    if spec.startswith("builtin:") and spec == f"builtin:{facts.get('builtin', spec.removeprefix('builtin:'))}":
        return
    if spec.startswith("tfds:") and known:
        if len(known) > MANY:
            hint = suggest(spec, known, see=TASK_SETTINGS)
            raise ConfigError(f"data.source={spec}: this task reads {len(known)} sets, but not this one; {hint}")
        raise ConfigError(
            f"data.source={spec}: this task reads {', '.join(known)}; give {' or '.join(known)}, or another source"
        )
    if len(known) > MANY:
        forms = ["auto", "tfds", "tfds:NAME", *forms[2 + len(known) :]]
    forms += [f"files:{'PATH' if facts.get('files', 'any') == 'any' else 'DIR'}"] if facts.get("files", True) else []
    hint = suggest(spec, forms)
    near = f"{hint} " if hint.startswith("did") else ""
    raise ConfigError(f"unknown data.source={spec}; {near}allowed for this task: {', '.join(forms)}")


def _names(tfds: str | Sequence[str] | None) -> list[str]:
    return [tfds] if isinstance(tfds, str) else list(tfds or ())


def data_dir(given: str | None = None) -> Path:
    """The data folder of tensorflow-datasets: `given`, `$TFDS_DATA_DIR`, or its default."""
    return Path(given or os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets").expanduser()


def prepared_folder(source: Source) -> Path | None:
    """The folder with the newest prepared version of a tfds source, found without importing tfds."""
    assert source.folder is not None
    folder = source.folder / source.name
    # A set with several configurations names its default one here.
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        folder /= str(json.loads((folder / ".config" / "metadata.json").read_text())["default_config_name"])
    found = [
        info.parent for info in folder.glob("*/dataset_info.json") if re.fullmatch(r"\d+\.\d+\.\d+", info.parent.name)
    ]
    return max(found, key=lambda path: tuple(map(int, path.name.split("."))), default=None)


def network(timeout: float = 5.0) -> bool:
    """Whether a host that tensorflow-datasets downloads from answers, through the proxy if one is set.

    Never takes longer than `timeout` seconds: the probes run in daemon threads, because a
    hanging name lookup has no timeout of its own.
    """
    answers: queue.Queue[bool] = queue.Queue()

    def probe(url: str) -> None:
        try:
            urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=timeout).close()
            answers.put(True)
        except urllib.error.HTTPError:
            answers.put(True)  # refused, but somebody is there
        except Exception:
            answers.put(False)  # no route, no name, a refusing proxy, an answer that is not HTTP

    for url in HOSTS:
        threading.Thread(target=probe, args=(url,), daemon=True).start()
    deadline = time.monotonic() + timeout
    try:
        return any(answers.get(timeout=max(0.0, deadline - time.monotonic())) for _ in HOSTS)
    except queue.Empty:
        return False


def unavailable(source: Source, problem: str) -> DataError:
    """The error for a tfds source that is neither prepared nor to be had."""
    return DataError(
        f"{source} is not prepared in {source.folder} and {problem}; set TFDS_DATA_DIR or data.tfds_dir=… "
        "to a folder that has it, or use data.source=builtin"
    )


def _obtain(source: Source, announce: Callable[[str], None]) -> str | None:
    """Finds or downloads a tfds source; returns what went wrong, if anything."""
    if folder := prepared_folder(source):
        announce(f"data: {source} (prepared in {folder})")
        return None
    if cache.newest(f"{source} "):
        announce(f"data: {source} (decoded before, in {cache.cache_dir()})")
        return None
    if not network():
        return "there is no network"
    from seqtasks.data import prepared  # imports this module

    announce(f"data: {source} is not prepared; downloading it to {source.folder}")
    try:
        prepared.download(source)
    except DataError as error:
        return str(error)
    return None


def _files(spec: str, single: bool, announce: Callable[[str], None]) -> Source:
    text = spec.removeprefix("files:")
    if not text.strip():
        raise ConfigError("data.source=files: names no folder; write data.source=files:DIR")
    try:
        folder = Path(text).expanduser().resolve()
    except (OSError, ValueError, RuntimeError) as error:  # a loop of links, NUL, or ~ of nobody
        raise ConfigError(f"data.source={shown(spec)}: {error}; give a folder with the data") from error
    usable(folder, f"data.source={shown(spec)}:")
    if not is_utf8(str(folder)):  # it is stored in the result row
        raise DataError(f"data.source: the name of {shown(folder)} is not UTF-8; rename the folder")
    if single and folder.is_file():
        announce(f"data: files:{folder} (as asked)")
        return Source("files", str(folder), folder)
    if not folder.is_dir():
        found = "is a file" if folder.exists() else "does not exist"
        raise DataError(f"data.source={spec}: {folder} {found}; give a folder with the data")
    if not any(folder.iterdir()):
        raise DataError(f"data.source={spec}: the folder {folder} is empty; put the data there")
    announce(f"data: files:{folder} (as asked)")
    return Source("files", str(folder), folder)
