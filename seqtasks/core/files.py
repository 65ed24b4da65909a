"""Atomic writing of files, and checks of paths that a user typed."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from seqtasks.core.errors import ConfigError, DataError


def write_atomic(path: Path, write: Callable[[Path], object]) -> None:
    """Writes a file atomically: to a temporary file, which is then renamed.

    The temporary file is in the same folder and has the same suffix, because Keras chooses its format by it.

    Args:
        path: Path of the file.
        write: Function that writes the path it is called with.

    Raises:
        OSError: `write` fails; the temporary file is removed.
    """
    handle, name = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        write(temporary)
        with temporary.open("r+b") as file:  # Windows cannot flush a file that is open for reading only
            os.fsync(file.fileno())
        mask = os.umask(0)
        os.umask(mask)
        temporary.chmod(0o666 & ~mask)
        replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def replace(temporary: Path, path: Path, seconds: float = 2.0) -> None:
    """Renames a file to the name of another one, which it replaces.

    Windows refuses this while another program, such as a virus scanner, has one of them open; so it is tried again.

    Args:
        temporary: Path of the file.
        path: Its new path.
        seconds: Time after which the error is raised on Windows.

    Raises:
        OSError: The file cannot be renamed.
    """
    until = time.monotonic() + (seconds if sys.platform == "win32" else 0)
    while True:
        try:
            temporary.replace(path)
            return
        except PermissionError:
            if time.monotonic() >= until:
                raise
            time.sleep(0.05)


def write_text(path: Path, text: str) -> None:
    """Writes text in UTF-8 atomically.

    Lone surrogates, which UTF-8 cannot encode, are escaped as `\\udc80`.

    Raises:
        OSError: The folder cannot be written.
    """
    data = text.encode("utf-8", "backslashreplace")
    write_atomic(path, lambda temporary: temporary.write_bytes(data))


def write_output(path: Path, write: Callable[[Path], object]) -> None:
    """Writes a file that a user named, atomically; follows a symbolic link.

    Devices and pipes, such as `/dev/stdout`, are written directly, because they cannot be replaced.

    Args:
        path: Path of the file.
        write: Function that writes the path it is called with.

    Raises:
        ConfigError: The file cannot be written.
    """
    try:
        if _is_device(path):
            write(path)
        else:
            write_atomic(path.resolve(), write)
    except OSError as error:
        raise ConfigError(f"cannot write {shown(path)}: {error.strerror or error}; name another file") from error


def check_output(name: str | Path, option: str, suffixes: Sequence[str] = ()) -> Path:
    """Checks that an output file can be written, before the work with whose result it is written.

    Args:
        name: Path of the file, as the user typed it.
        option: Name of the option in messages, such as `--out`.
        suffixes: Allowed suffixes in lower case; empty: any.

    Returns:
        The path.

    Raises:
        ConfigError: Another suffix, a missing folder, or no permission to write.
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
        raise ConfigError(f"{option} {shown(path)}: there is no folder {shown(folder)}; create it or name another file")
    device = _is_device(path)
    try:
        if path.exists() and not os.access(path, os.W_OK):
            raise PermissionError(errno.EACCES, "no permission to write to it")
        if not device:  # the temporary file of `write_atomic` is in the same folder
            tempfile.TemporaryFile(dir=path.resolve().parent).close()
    except OSError as error:
        raise ConfigError(f"{option} {shown(path)} cannot be written: {error.strerror}; name another file") from error
    return path


def _is_device(path: Path) -> bool:
    """Whether a path is a device or pipe; `/dev/stdout`, perhaps a link to a file, counts."""
    return path.exists() and (not path.is_file() or Path(os.devnull).parent in path.absolute().parents)


def usable(name: str | Path, what: str) -> Path:
    """Checks that a name typed by a user can be a path; the file need not exist.

    Args:
        name: The path.
        what: Name of the path in messages, such as `--config`.

    Returns:
        The path.

    Raises:
        ConfigError: The name is too long, or has a character that file names cannot have.
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
    """Whether a text can be encoded in UTF-8.

    Python decodes bytes that are not UTF-8 as lone surrogates, which cannot.
    """
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def utf8_name(path: Path) -> str:
    """The last part of a path, as a name to store, such as a label.

    Raises:
        DataError: Its bytes are not UTF-8.
    """
    if not is_utf8(path.name):
        raise DataError(f"the name of {shown(path)} is not UTF-8; rename it")
    return path.name


def shown(name: str | Path, most: int = 100) -> str:
    """A path or text as it appears in a message: printable, on one line, and not too long.

    Args:
        name: The path or text.
        most: Maximum number of characters; the middle of a longer text is left out.

    Example:
        >>> shown("two\\nlines")
        'two\\\\nlines'
    """
    text = str(name)
    if len(text) > 4 * most:  # so that megabytes are not escaped first
        text = f"{text[: 2 * most]}…{text[-most:]}"
    text = "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
    return text if len(text) <= most else f"{text[: most // 2]}…{text[-most // 4 :]}"
