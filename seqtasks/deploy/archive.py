"""Archives of runs: one ZIP file with checksums and a model card, and its careful unpacking.

The format is ZIP: `model.keras` is compressed already, and the directory of a ZIP file has names and sizes of all
members, so that an archive is refused before anything is written. Equal runs make equal archives.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import shutil
import stat
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from seqtasks.core.errors import DataError, RunError
from seqtasks.core.files import shown, write_atomic
from seqtasks.deploy.licence import licence_of
from seqtasks.deploy.model_card import model_card
from seqtasks.experiments import results, run_folder
from seqtasks.experiments.run_folder import Run

SUFFIX = ".seqtasks.zip"
SUMS, CARD = "SHA256SUMS", "README.md"
# Files of a run folder that are shared; what only serves training on this machine is not.
FILES = ("run.json", "config.yaml", "status.json", "history.csv", "gradients.csv", "model.keras", "result.json")
EXAMPLES = ("outputs.npz", "plots")  # with outputs on the test split, and texts of it
MOST_FILES, MOST_BYTES = 10_000, 10 * 10**9
PIECE = 1 << 20  # bytes that are read at a time
DATE = (1980, 1, 1, 0, 0, 0)  # of all members
SUM = re.compile(r"([0-9a-f]{64})  (\S.*)")
WINDOWS = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)  # names of devices


@dataclass(frozen=True)
class Packed:
    """An archive that was written.

    Attributes:
        path: The archive.
        sha256: Checksum of the archive.
        files: Number of files in it.
        size: Size of the archive in bytes.
    """

    path: Path
    sha256: str
    files: int
    size: int


def pack(run: Run, out: Path | None = None, licence: str | None = None, examples: bool = True) -> Packed:
    """Writes an archive of a finished run.

    Args:
        run: The run.
        out: The archive; None: the name of the run folder with `SUFFIX`, in the present folder.
        licence: Licence of the data; None: that of the data set, if it is known.
        examples: Whether plots and outputs on the test split, which can hold texts of the data, are part of it.

    Raises:
        RunError: The run is not finished, or the archive cannot be written.
    """
    members = {f"{run.path.name}/{name}": data for name, data in contents(run, licence, examples).items()}
    path = Path(f"{run.path.name}{SUFFIX}") if out is None else out

    def write(target: Path) -> None:
        with zipfile.ZipFile(target, "w") as archive:
            for name in sorted(members):
                data = members[name]
                info = zipfile.ZipInfo(name, DATE)
                info.create_system, info.external_attr = 3, (stat.S_IFREG | 0o644) << 16
                stored = name.endswith((".keras", ".npz", ".png"))
                info.compress_type = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
                archive.writestr(info, data if isinstance(data, bytes) else data.read_bytes())

    try:
        write_atomic(path, write)
    except OSError as error:
        raise RunError(
            f"cannot write {shown(path)}: {error.strerror or error}; allowed: a file in a folder that exists; give "
            "another name with --out"
        ) from error
    return Packed(path, sha256_of(path), len(members), path.stat().st_size)


def contents(run: Run, licence: str | None = None, examples: bool = True) -> dict[str, Path | bytes]:
    """The files of a run that are shared, with the model card and the checksums.

    Args:
        run: A finished run.
        licence: See `pack`.
        examples: See `pack`.

    Returns:
        A path, or the content of a file that is made, by the name in the run folder.

    Raises:
        RunError: The run is not finished or has no model.
    """
    if not run.finished:
        raise RunError(
            f"{run.path} is not finished ({run.status()}); allowed: a finished run; continue it: "
            f"{run.command('resume')}"
        )
    run_folder.with_model(run)
    if run.is_trial:
        raise RunError(f"{run.path} is a trial of a search; allowed: a run with a model; name another run")
    names = [name for name in FILES if (run.path / name).is_file()]
    files = [run.path / name for name in names] + run.copies
    for name in EXAMPLES if examples else ():
        path = run.path / name
        files += [path] if path.is_file() else [p for p in sorted(path.rglob("*")) if p.is_file()]
    row = results.read(run.path)
    members: dict[str, Path | bytes] = {path.relative_to(run.path).as_posix(): path for path in files}
    members[CARD] = model_card(run, licence_of(row.source, licence)).encode()
    sums = {name: hashlib.sha256(data).hexdigest() if isinstance(data, bytes) else sha256_of(data)
            for name, data in members.items()}  # fmt: skip
    members[SUMS] = "".join(f"{sums[name]}  {name}\n" for name in sorted(sums)).encode()
    return members


def unpack(archive: Path, runs: Path, sha256: str | None = None) -> Run:
    """Unpacks an archive of a run into the folder of all runs.

    Nothing of it is executed. It is unpacked into a temporary folder, and becomes a run folder when every checksum is
    right.

    Args:
        archive: The archive.
        runs: Folder of all runs.
        sha256: Checksum that the archive must have; None: any.

    Raises:
        DataError: The archive is damaged, has another checksum, or has something that `pack` never writes.
        RunError: There is such a run already, or it cannot be written.
    """
    if not archive.is_file():
        raise DataError(f"{shown(archive)} is no file; allowed: an archive of `seqtasks pack`; give its path")
    if sha256 is not None and (actual := sha256_of(archive)) != sha256.strip().lower():
        raise DataError(
            f"{shown(archive)} has the SHA-256 {actual}; allowed: {shown(sha256)}, as given; get the archive again"
        )
    try:
        with zipfile.ZipFile(archive) as opened:
            members = _members(opened)
            check_names({info.filename: info.file_size for info in members})
            name = _top([info.filename for info in members])
            with staging(runs, name) as folder:
                _extract(opened, members, folder.parent)
                return publish(folder, runs)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, UnicodeDecodeError) as error:
        if isinstance(error, RunError):
            raise
        raise DataError(
            f"{shown(archive)} is no archive that can be read ({' '.join(str(error).split())}); allowed: an archive of "
            "`seqtasks pack`; get it again"
        ) from error


def check_names(sizes: Mapping[str, int]) -> None:
    """Refuses names, numbers and sizes of files that `pack` never writes.

    Args:
        sizes: Size in bytes by the name of each file.

    Raises:
        DataError: Too many files, too much to unpack, an absolute path, `..`, or a name that is not portable.
    """
    if not 0 < len(sizes) <= MOST_FILES:
        raise DataError(f"{len(sizes):,} files; allowed: 1 to {MOST_FILES:,}; do not trust the archive")
    if sum(sizes.values()) > MOST_BYTES:
        raise DataError(
            f"{sum(sizes.values()):,} bytes when unpacked; allowed: {MOST_BYTES:,}; do not trust the archive"
        )
    for name in sizes:
        parts = name.split("/")
        portable = not any(
            part in ("", ".", "..") or WINDOWS.fullmatch(part) or part[-1] in ". " or len(part) > 200 for part in parts
        )
        if not portable or any(sign in name for sign in '\\:*?"<>|\0') or not name.isprintable():
            raise DataError(
                f"the name {shown(name)!r} is not allowed: it is absolute, has .. or is not portable; allowed: names "
                "inside one folder; do not trust the archive"
            )
    if len({name.lower() for name in sizes}) < len(sizes):
        raise DataError("two files have the same name; allowed: different names; do not trust the archive")


@contextlib.contextmanager
def staging(runs: Path, name: str) -> Iterator[Path]:
    """A temporary folder beside the run folders, for the files of a run; it is removed at the end.

    Args:
        runs: Folder of all runs.
        name: Name of the run.

    Raises:
        RunError: There is such a run already, or the folder cannot be written.
    """
    if (runs / name).exists():
        raise RunError(f"{runs / name} exists; allowed: a new run; remove it, or give another --runs folder")
    with run_folder.writing(runs):
        runs.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=".unpack-", dir=runs))
        try:
            (temporary / name).mkdir()
            yield temporary / name
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def publish(folder: Path, runs: Path) -> Run:
    """Checks the files of a run in a temporary folder, and makes it a run folder.

    Args:
        folder: Temporary folder, named as the run.
        runs: Folder of all runs.

    Raises:
        DataError: A checksum is wrong, or the files are not those of a run.
    """
    check_sums(folder)
    run = run_folder.open_run(folder)
    row = results.read(folder)
    if row.run != folder.name or run.task != row.task or not (folder / "model.keras").is_file():
        raise DataError(f"the files are not those of a finished run {shown(folder.name)}; get the archive again")
    _ = run.copies  # refuses names of files outside the folder
    target = runs / folder.name
    with run_folder.writing(runs):
        folder.replace(target)
    return run_folder.open_run(target)


def check_sums(folder: Path) -> None:
    """Compares all files of a folder with its checksums.

    Args:
        folder: Folder with `SHA256SUMS`.

    Raises:
        DataError: A file is missing, changed, or not in the list.
    """
    file = folder / SUMS
    try:
        lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    except UnicodeDecodeError:
        lines = []
    matches = [match for line in lines if (match := SUM.fullmatch(line))]
    if not matches or len(matches) != len(lines):
        raise DataError(f"there are no checksums ({SUMS}); allowed: an archive of `seqtasks pack`; get it again")
    sums = {match[2]: match[1] for match in matches}
    present = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} - {SUMS}
    if differing := sorted(present ^ sums.keys()):
        fault = "is missing" if differing[0] in sums else "is not in the list of checksums"
        raise DataError(f"{shown(differing[0])} {fault}; allowed: the files that were packed; get the archive again")
    for name, expected in sums.items():
        if sha256_of(folder / name) != expected:
            raise DataError(f"{shown(name)} has a wrong checksum; allowed: the file that was packed; get it again")


def sha256_of(path: Path) -> str:
    """SHA-256 of a file in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _members(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """The files of an archive.

    Raises:
        DataError: It has a link or another special file, or is encrypted.
    """
    infos = archive.infolist()
    if len(infos) > MOST_FILES:
        raise DataError(f"{len(infos):,} files; allowed: 1 to {MOST_FILES:,}; do not trust the archive")
    for info in infos:
        kind = stat.S_IFMT(info.external_attr >> 16)
        if kind not in (0, stat.S_IFREG) or info.is_dir() or info.flag_bits & 1:
            raise DataError(
                f"{shown(info.filename)} is a link, a folder, a special or an encrypted file; allowed: plain files; do "
                "not trust the archive"
            )
    if len({info.filename for info in infos}) < len(infos):
        raise DataError("two files have the same name; allowed: different names; do not trust the archive")
    return infos


def _top(names: Sequence[str]) -> str:
    """The one folder of all names.

    Raises:
        DataError: There are several, or files outside.
    """
    tops = {PurePosixPath(name).parts[0] for name in names if "/" in name}
    outside = [name for name in names if "/" not in name]
    if len(tops) != 1 or outside:
        raise DataError("the files are not in one folder; allowed: an archive of `seqtasks pack`; get it again")
    return tops.pop()


def _extract(archive: zipfile.ZipFile, members: Iterable[zipfile.ZipInfo], folder: Path) -> None:
    """Writes the files of an archive; the sizes that it states are not trusted.

    Raises:
        DataError: A file is larger than stated.
    """
    for info in members:
        path = folder / info.filename
        path.parent.mkdir(parents=True, exist_ok=True)
        left = info.file_size
        with archive.open(info) as source, path.open("xb") as target:
            while data := source.read(PIECE):
                left -= len(data)
                if left < 0:
                    raise DataError(f"{shown(info.filename)} is larger than stated; do not trust the archive")
                target.write(data)
