"""Atomic writing of files, and checks of paths that a user typed."""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from seqtasks.core.errors import ConfigError, DataError


def write_atomic(path: Path, write: Callable[[Path], object]) -> None:
    """Calls `write(temporary path)` and moves the result to `path`.

    The temporary file lies beside it and keeps the suffix, which Keras looks at.

    Raises:
        OSError: as `write` does; the temporary file is removed.
    """
    handle, name = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        write(temporary)
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        mask = os.umask(0)
        os.umask(mask)
        temporary.chmod(0o666 & ~mask)
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def write_text(path: Path, text: str) -> None:
    """Writes UTF-8 text atomically; lone surrogates, which UTF-8 cannot hold, as `\\udc80`.

    Raises:
        OSError: the folder cannot be written.
    """
    data = text.encode("utf-8", "backslashreplace")
    write_atomic(path, lambda temporary: temporary.write_bytes(data))


def write_output(path: Path, write: Callable[[Path], object]) -> None:
    """Calls `write(path)` for a file that a user named: atomically, but for a link the file behind it.

    Devices and pipes, such as `/dev/stdout`, are written directly, as they cannot be replaced.

    Raises:
        ConfigError: the file cannot be written.
    """
    try:
        if _is_device(path):
            write(path)
        else:
            write_atomic(path.resolve(), write)
    except OSError as error:
        raise ConfigError(f"cannot write {shown(path)}: {error.strerror or error}; name another file") from error


def check_output(name: str | Path, option: str, suffixes: Sequence[str] = ()) -> Path:
    """The path of a file to be written, checked before the work whose result it is to hold.

    Args:
        name: as the user typed it.
        option: that named it, such as `--out`.
        suffixes: the endings that are allowed, in lower case; none: any.

    Raises:
        ConfigError: another ending, a folder that is not there, or no right to write.
    """
    path = usable(name, option)
    if suffixes and path.suffix.lower() not in suffixes:
        ending = f"ends in {path.suffix!r}" if path.suffix else "has no suffix"
        raise ConfigError(
            f"{option} {shown(path)} {ending}; allowed: {', '.join(suffixes)}; name a file that ends in one of them"
        )
    folder = path.parent
    if path.is_dir():
        raise ConfigError(f"{option} {shown(path)} is a folder; name a file in it")
    if not folder.is_dir():
        raise ConfigError(f"{option} {shown(path)}: there is no folder {shown(folder)}; make it or name another file")
    device = _is_device(path)
    try:
        if path.exists() and not os.access(path, os.W_OK):
            raise PermissionError(errno.EACCES, "no right to write to it")
        if not device:  # what is written first is a new file beside it
            tempfile.TemporaryFile(dir=path.resolve().parent).close()
    except OSError as error:
        raise ConfigError(f"{option} {shown(path)} cannot be written: {error.strerror}; name another file") from error
    return path


def _is_device(path: Path) -> bool:
    """Whether a path is something else than a file; `/dev/stdout` is a link to one where output goes to a file."""
    return path.exists() and (not path.is_file() or Path(os.devnull).parent in path.absolute().parents)


def usable(name: str | Path, what: str) -> Path:
    """The path that a user typed, whether anything is there or not.

    Args:
        name: the path.
        what: names it in the error, such as `--config`.

    Raises:
        ConfigError: no file can have that name: it is too long, or holds a character that names cannot have.
    """
    path = Path(name)
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        pass
    except (OSError, ValueError) as error:  # ValueError: NUL, or a character outside the file system's encoding
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigError(f"{what} {shown(name)} cannot be used as a path: {reason}; give another path") from error
    return path


def is_utf8(text: str) -> bool:
    """Whether UTF-8 can hold a text: no lone surrogate, which is what Python makes of a byte that is not UTF-8."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def utf8_name(path: Path) -> str:
    """The last part of a path, for a name that is stored, such as a label.

    Raises:
        DataError: its bytes are not UTF-8.
    """
    if not is_utf8(path.name):
        raise DataError(f"the name of {shown(path)} is not UTF-8; rename it")
    return path.name


def shown(name: str | Path, most: int = 100) -> str:
    """A path or text for a message: on one line, in characters that can be printed, the middle of a long one left out.

    Args:
        name: the path or text.
        most: characters.
    """
    text = "".join(c if c.isprintable() else repr(c)[1:-1] for c in str(name))
    return text if len(text) <= most else f"{text[: most // 2]}…{text[-most // 4 :]}"
