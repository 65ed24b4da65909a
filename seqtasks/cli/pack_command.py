"""`seqtasks pack` and `seqtasks unpack`: archives of runs, and runs on the Hugging Face Hub."""

from __future__ import annotations

import sys
from pathlib import Path

from seqtasks.core.errors import ConfigError
from seqtasks.core.files import shown, usable
from seqtasks.experiments import run_folder


def pack(
    name: str,
    runs: Path,
    out: str | None,
    licence: str | None,
    push: str | None,
    *,
    examples: bool = True,
    private: bool = False,
) -> None:
    """Writes an archive of a run, or uploads the run.

    Args:
        name: Run folder, or its name.
        runs: Folder of all runs.
        out: The archive; None: in the present folder, with the name of the run.
        licence: Licence of the data; None: that of the data set, if it is known.
        push: `hf://OWNER/NAME` to upload to; None: write an archive.
        examples: Whether plots and outputs on the test split are part of it.
        private: Whether a new repository is private.

    Raises:
        SeqtasksError: A run that cannot be packed, or a wrong option.
    """
    from seqtasks.deploy import archive, hub

    run = run_folder.find(name, runs)
    if push is not None:
        if out is not None:
            raise ConfigError(f"got both --out {shown(out)} and --push {shown(push)}; allowed: one of them; remove one")
        print(hub.push(run, push, licence, examples, private))
        return
    if private:
        raise ConfigError("got --private without --push; allowed: with --push hf://OWNER/NAME; add it")
    packed = archive.pack(run, None if out is None else usable(out, "--out"), licence, examples)
    print(packed.path)
    print(f"{packed.files} files, {packed.size:,} bytes, SHA-256 {packed.sha256}", file=sys.stderr)


def unpack(source: str, runs: Path, sha256: str | None) -> None:
    """Unpacks an archive, or downloads a run.

    Args:
        source: Path of the archive, or `hf://OWNER/NAME`.
        runs: Folder of all runs.
        sha256: Checksum that the archive must have; None: any.

    Raises:
        SeqtasksError: An archive that is damaged or refused, or a run that exists.
    """
    from seqtasks.deploy import archive, hub

    if hub.is_address(source):
        if sha256 is not None:
            raise ConfigError(
                "got --sha256 with hf://; allowed: with an archive; name a revision: hf://OWNER/NAME@COMMIT"
            )
        run = hub.pull(source, runs)
    else:
        run = archive.unpack(usable(source, "the archive"), runs, sha256)
    print(run.path)
    if run.copies:
        files = " and ".join(path.name for path in run.copies)
        print(f"it has Python code, {files}, which runs with --trust only; read it first", file=sys.stderr)
