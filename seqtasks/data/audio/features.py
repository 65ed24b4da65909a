"""Audio features: WAV files, log-mel spectra and MFCC, on the CPU.

Everything here is NumPy and SciPy, so that frames are the same on every backend, and can be
made while the network trains. Keras's `MelSpectrogram` reflects the sound at its ends and
clips by the loudest sound of the batch, so a recording's frames would depend on the batch.
"""

from __future__ import annotations

import functools
import io
import logging
import math
import os
import struct
import warnings
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from seqtasks.core.arrays import FloatArray
from seqtasks.core.errors import ConfigError, DataError

log = logging.getLogger(__name__)

FLOOR = 1e-6  # added to the power in a band, for sound of root mean square `LEVEL`
LEVEL = 0.1
LOWEST = 20.0  # Hz
BLOCK = 4096  # frames at a time, for the memory of long sounds


def read_wav(path: Path, rate: int) -> tuple[FloatArray, int]:
    """The sound of a WAV file: PCM of 8, 16, 24 or 32 bits, or float; channels are averaged.

    Args:
        path: the file.
        rate: samples a second of the result; sound of another rate is resampled.

    Returns:
        Float32 (samples,), in -1 to 1 for PCM, and the rate of the file.

    Raises:
        DataError: no such file, not a WAV file, cut short, without sound, or not numbers.
    """
    from scipy.io import wavfile

    if not path.is_file():
        raise DataError(f"{path} is {'a folder' if path.is_dir() else 'not there'}; give a WAV file")
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("error", category=wavfile.WavFileWarning)  # it would give what is left of a file
            warnings.filterwarnings("ignore", "Chunk .* not understood", wavfile.WavFileWarning)
            file_rate, data = wavfile.read(_whole(path))
    # A damaged header can raise almost anything out of SciPy.
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"{path} cannot be read as WAV: {reason}; give PCM or float WAV") from error
    if file_rate < 1:
        raise DataError(f"{path} says that it has {file_rate} samples a second; write the file again")
    wave = _floats(np.asarray(data))
    wave = wave if wave.ndim == 1 else wave.mean(axis=1)
    if not len(wave):
        raise DataError(f"{path} holds no sound; remove it or record it again")
    if not np.isfinite(wave).all():
        raise DataError(f"{path} holds samples that are not numbers; write the file again")
    if file_rate != rate:
        from scipy.signal import resample_poly

        common = math.gcd(file_rate, rate)
        wave = resample_poly(wave, rate // common, file_rate // common)
    return wave.astype(np.float32), file_rate


def _whole(path: Path) -> Path | io.BytesIO:
    """A WAV file; one that was written to a pipe, which leaves its length open, with the length that it has.

    Such a header has 0 or the largest number (FFmpeg), or one just above or below 2³¹ (arecord, SoX).
    """
    block = 1
    with path.open("rb") as file:
        length = os.fstat(file.fileno()).st_size
        head, whole, _ = struct.unpack("<4sI4s", file.read(12).ljust(12, b"\0"))
        while head == b"RIFF" and file.tell() + 8 <= length:
            name, size = struct.unpack("<4sI", file.read(8))
            begin, left = file.tell(), length - file.tell()
            if name == b"data":
                covers = begin < whole + 8 <= length  # the length of all is known, so a 0 here means no sound
                if (size >= 0x7FFF0000 and size > left) or (size == 0 and not covers):
                    left -= left % block
                    file.seek(0)
                    data = bytearray(file.read(begin + left))
                    data[4:8], data[begin - 4 : begin] = struct.pack("<I", len(data) - 8), struct.pack("<I", left)
                    return io.BytesIO(data)
                break
            if name == b"fmt ":
                block = max(1, int.from_bytes(file.read(14)[12:], "little"))
            file.seek(begin + size + size % 2)
    return path


def tell_rates(rates: Iterable[int], rate: int) -> None:
    """Says which files were resampled.

    Args:
        rates: of all files.
        rate: what they were resampled to.
    """
    other = Counter(file_rate for file_rate in rates if file_rate != rate)
    if other:
        shown = ", ".join(f"{n:,} of {file_rate:,} Hz" for file_rate, n in sorted(other.items()))
        log.warning("recordings resampled to %s Hz: %s", f"{rate:,}", shown)


def _floats(data: np.ndarray) -> FloatArray:
    if data.dtype == np.uint8:  # 8 bits are unsigned
        return (data.astype(np.float64) - 128) / 128
    if np.issubdtype(data.dtype, np.integer):  # 24 bits come as the upper ones of 32
        return data.astype(np.float64) / -float(np.iinfo(data.dtype).min)
    return data.astype(np.float64)


@dataclass(frozen=True)
class Spectra:
    """Makes frames of sound.

    A frame is a Hann window of the sound, its power in bands of equal width on the mel scale (triangles
    as in HTK), and the logarithm of that; or the first cosine coefficients of these, MFCC (Davis &
    Mermelstein 1980, https://doi.org/10.1109/TASSP.1980.1163420). The sound is first scaled to one
    loudness.

    Args:
        rate: samples a second.
        features: `"mel"` or `"mfcc"`.
        bands: on the mel scale, from 20 Hz to half the rate.
        coefficients: of `"mfcc"`.
        window: of a frame, in milliseconds.
        hop: from frame to frame, in milliseconds.

    Raises:
        ConfigError: more bands than the window can tell apart, fewer bands than coefficients, a
            window or hop of less than a sample, or a hop longer than the window.
    """

    rate: int = 8000
    features: Literal["mel", "mfcc"] = "mel"
    bands: int = 40
    coefficients: int = 13
    window: float = 25.0
    hop: float = 10.0

    def __post_init__(self) -> None:
        if not 1 <= self.hop_samples <= self.samples:
            raise ConfigError(
                f"options.window={self.window:g} and options.hop={self.hop:g} ms are {self.samples} and "
                f"{self.hop_samples} samples; allowed: hop from one sample to the window; set another"
            )
        if self.features == "mfcc" and self.coefficients > self.bands:
            raise ConfigError(
                f"options.coefficients={self.coefficients} is more than options.bands={self.bands}; set fewer"
            )
        if (empty := int((self._mel.sum(axis=0) == 0).sum())) > 0:
            raise ConfigError(
                f"options.bands={self.bands}: {empty} of them lie between two frequencies of a window of "
                f"{self.window:g} ms; set fewer bands or a longer options.window"
            )

    @property
    def samples(self) -> int:
        """Of a window."""
        return round(self.window * self.rate / 1000)

    @property
    def hop_samples(self) -> int:
        """From frame to frame."""
        return round(self.hop * self.rate / 1000)

    @property
    def width(self) -> int:
        """Numbers of a frame."""
        return self.bands if self.features == "mel" else self.coefficients

    @property
    def size(self) -> int:
        """Of the Fourier transform: the next power of two above twice the window, filled up with zeros."""
        return 1 << (2 * self.samples - 1).bit_length()

    @property
    def _mel(self) -> FloatArray:
        return mel_matrix(self.rate, self.bands, self.size // 2 + 1)

    def count(self, samples: Any) -> Any:
        """Frames of so many samples, one at least; also for arrays of numbers of samples."""
        over = np.maximum(np.asarray(samples) - self.samples, 0)
        return 1 + -(-over // self.hop_samples)

    def __call__(self, wave: FloatArray) -> FloatArray:
        """The frames of sound (samples,), float32 (frames, width); the last one is filled up with silence."""
        from scipy import fft

        loud = float(np.sqrt(np.mean(np.square(wave, dtype=np.float64)))) if len(wave) else 0.0
        frames = int(self.count(len(wave)))
        filled = np.zeros((frames - 1) * self.hop_samples + self.samples)
        filled[: len(wave)] = wave * (LEVEL / loud) if loud > 0 else 0.0
        cut = np.lib.stride_tricks.sliding_window_view(filled, self.samples)[:: self.hop_samples]
        mel = np.zeros((frames, self.bands))
        for i in range(0, frames, BLOCK):
            power = np.abs(fft.rfft(cut[i : i + BLOCK] * hann(self.samples), self.size, axis=1)) ** 2
            mel[i : i + BLOCK] = np.log(power @ self._mel + FLOOR)
        if self.features == "mfcc":
            mel = fft.dct(mel, norm="ortho", axis=1)[:, : self.coefficients]
        return np.asarray(mel, np.float32)


@functools.lru_cache(8)
def hann(samples: int) -> FloatArray:
    """The Hann window, periodic as spectra want it."""
    from scipy.signal import get_window

    return np.asarray(get_window("hann", samples))


@functools.lru_cache(8)
def mel_matrix(rate: int, bands: int, bins: int) -> FloatArray:
    """Keras's triangles on the mel scale, float64 (bins, bands)."""
    import keras

    layer = keras.layers.MelSpectrogram(sampling_rate=rate, dtype="float32")
    weights = layer.linear_to_mel_weight_matrix(bands, bins, rate, LOWEST, rate / 2)
    return np.asarray(keras.ops.convert_to_numpy(weights), np.float64)
