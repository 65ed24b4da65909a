"""Runs on the Hugging Face Hub: `hf://OWNER/NAME`, by huggingface_hub.

A repository has the files of the run folder with the model card at its top, where the Hub reads it. A run is pulled as
an archive is unpacked: names, numbers and sizes are checked first, then the checksums, in a temporary folder.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from seqtasks.core.errors import ConfigError, DataError, RunError, SeqtasksError
from seqtasks.core.extras import require
from seqtasks.core.files import shown
from seqtasks.core.parsing import parse_json
from seqtasks.deploy import archive
from seqtasks.experiments.run_folder import Run

PREFIX = "hf://"
NAME = re.compile(r"hf://([\w.-]{1,96}/[\w.-]{1,96})(?:@([\w./-]{1,200}))?")
IGNORED = (".gitattributes",)  # the Hub adds it


def is_address(text: str) -> bool:
    """Whether a text is an address of the Hub.

    Example:
        >>> is_address("hf://someone/tagger"), is_address("run.seqtasks.zip")
        (True, False)
    """
    return text.startswith(PREFIX)


def parse(address: str) -> tuple[str, str | None]:
    """Name of the repository and revision of an address.

    Raises:
        ConfigError: It is no such address, or huggingface_hub is not installed.

    Example:
        >>> NAME.fullmatch("hf://someone/tagger@v1").groups()
        ('someone/tagger', 'v1')
    """
    match = NAME.fullmatch(address)
    if match is None:
        raise ConfigError(f"{shown(address)!r} is no address; allowed: hf://OWNER/NAME or hf://OWNER/NAME@REVISION")
    require(["huggingface_hub"], "hf://", "hub")
    return match[1], match[2]


def push(run: Run, address: str, licence: str | None = None, examples: bool = True, private: bool = False) -> str:
    """Uploads a run; the repository is created if there is none.

    Args:
        run: A finished run.
        address: `hf://OWNER/NAME`.
        licence: See `archive.pack`.
        examples: See `archive.pack`.
        private: Whether a new repository is private.

    Returns:
        Address of the repository in the browser.

    Raises:
        ConfigError: The address is wrong.
        RunError: The run is not finished, or the Hub refuses.
    """
    name, revision = parse(address)
    if revision is not None:
        raise ConfigError(f"{shown(address)} names a revision; allowed: hf://OWNER/NAME; leave out @{revision}")
    contents = archive.contents(run, licence, examples)
    from huggingface_hub import CommitOperationAdd, HfApi

    operations = [
        CommitOperationAdd(path_in_repo=path, path_or_fileobj=data if isinstance(data, bytes) else str(data))
        for path, data in contents.items()
    ]
    api = HfApi()
    with _errors(address):
        url = api.create_repo(name, private=private, exist_ok=True)
        api.create_commit(name, operations, commit_message=f"Add {run.path.name}")
    return str(url)


def pull(address: str, runs: Path) -> Run:
    """Downloads a run into the folder of all runs.

    Args:
        address: `hf://OWNER/NAME` or `hf://OWNER/NAME@REVISION`.
        runs: Folder of all runs.

    Raises:
        ConfigError: The address is wrong.
        DataError: The repository is not that of a run, or a file is damaged.
        RunError: There is such a run already, or the Hub refuses.
    """
    name, revision = parse(address)
    from huggingface_hub import HfApi, hf_hub_download

    api = HfApi()
    with _errors(address):
        info = api.model_info(name, revision=revision, files_metadata=True)
    sizes = {file.rfilename: file.size or 0 for file in info.siblings or () if file.rfilename not in IGNORED}
    archive.check_names({f"run/{path}": size for path, size in sizes.items()})
    if "result.json" not in sizes:
        raise DataError(f"{shown(address)} has no result.json; allowed: a run of `seqtasks pack --push`; name another")
    with tempfile.TemporaryDirectory(prefix="seqtasks-") as cache:

        def download(path: str, folder: Path) -> Path:
            with _errors(address):
                return Path(hf_hub_download(name, path, revision=info.sha, local_dir=folder))

        result = download("result.json", Path(cache))
        try:
            title = parse_json(result.read_text(encoding="utf-8"))["run"]
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(
                f"result.json of {shown(address)} is damaged; allowed: a result row; get it again"
            ) from error
    archive.check_names({f"{title}/run.json": 0})
    if "/" in str(title):
        raise DataError(
            f"the run is named {shown(str(title))!r}; allowed: a name without /; do not trust the repository"
        )
    with archive.staging(runs, str(title)) as folder:
        for path in sizes:
            download(path, folder)
        shutil.rmtree(folder / ".cache", ignore_errors=True)  # what huggingface_hub keeps beside downloaded files
        return archive.publish(folder, runs)


@contextlib.contextmanager
def _errors(address: str) -> Iterator[None]:
    """Turns errors of the Hub and of the network into a RunError of one line."""
    from huggingface_hub.errors import HfHubHTTPError

    try:
        yield
    except SeqtasksError:
        raise
    except (HfHubHTTPError, OSError, ValueError) as error:
        reason = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise RunError(
            f"{shown(address)}: {reason[:300]}; allowed: a repository that you may use; check the name, and log in "
            "with `hf auth login`, or set HF_TOKEN"
        ) from error
