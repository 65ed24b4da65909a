"""Audio features: WAV files, log-mel spectra and MFCC, on the CPU.

All of this uses NumPy and SciPy, so that frames are equal on every backend and can be computed while the
network trains. Keras's `MelSpectrogram` reflects the sound at its ends and clips relative to the loudest sound
of the batch, so that the frames of a recording would depend on its batch.
"""

from __future__ import annotations

import functools
import io
import logging
import os
import struct
import warnings
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import numpy as np

from seqtasks.core.arrays import FloatArray
from seqtasks.core.errors import ConfigError, DataError

log = logging.getLogger(__name__)

LEVEL = 0.1  # root mean square to which sound is normalized
FLOOR = 1e-6  # added to the power in a band of normalized sound before the logarithm
LOWEST = 20.0  # lower limit of the mel bands in Hz
HIGHEST_RATE = 1_000_000  # Hz; recorders of ultrasound have half of it
MAX_RATIO = 100_000  # maximum denominator of a ratio of sampling rates, above which it is rounded
BLOCK = 4096  # number of frames that are computed at once, to limit memory


def read_wav(path: Path, rate: int) -> tuple[FloatArray, int]:
    """Reads a WAV file: PCM of 8, 16, 24 or 32 bits, or float; channels are averaged.

    Args:
        path: The file.
        rate: Sampling rate of the result in Hz; sound with another rate is resampled.

    Returns:
        Sound, float32 `(samples,)`, from -1 to 1 for PCM; and the sampling rate of the file.

    Raises:
        DataError: The file does not exist, is not a WAV file, is cut off, or has no samples or samples that are
            not finite.
    """
    from scipy.io import wavfile

    if not path.is_file():
        raise DataError(f"{path} {'is a folder' if path.is_dir() else 'does not exist'}; give a WAV file")
    try:
        with warnings.catch_warnings():
            # For a file that is cut off, SciPy warns and returns the samples before the end.
            warnings.filterwarnings("error", category=wavfile.WavFileWarning)
            warnings.filterwarnings("ignore", "Chunk .* not understood", wavfile.WavFileWarning)
            file_rate, data = wavfile.read(_with_length(path))
    except Exception as error:  # SciPy raises many types of errors for damaged headers
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"{path} cannot be read as WAV: {reason}; give PCM or float WAV") from error
    if not 1 <= file_rate <= HIGHEST_RATE:
        raise DataError(
            f"{path} has a sampling rate of {file_rate} Hz; allowed: 1 to {HIGHEST_RATE}; write the file again"
        )
    with np.errstate(over="ignore", invalid="ignore"):  # an error below
        wave = _floats(np.asarray(data))
        wave = wave if wave.ndim == 1 else wave.mean(axis=1)
        finite = np.isfinite(wave.astype(np.float32)).all()
    if not len(wave):
        raise DataError(f"{path} has no samples; remove it or record it again")
    if not finite:
        raise DataError(f"{path} has samples that are not finite numbers; write the file again")
    if file_rate != rate:
        from scipy.signal import resample_poly

        # The filter has 20 coefficients for each unit of the larger number of the ratio.
        ratio = Fraction(rate, file_rate).limit_denominator(MAX_RATIO)
        wave = resample_poly(wave, ratio.numerator, ratio.denominator)
    return wave.astype(np.float32), file_rate


def _with_length(path: Path) -> Path | io.BytesIO:
    """Returns a WAV file with correct lengths in its header; the path if the header is correct.

    A program that writes to a pipe does not know the length. FFmpeg then writes 0 or the largest number;
    arecord and SoX write a number slightly above or below 2³¹.
    """
    block = 1
    with path.open("rb") as file:
        length = os.fstat(file.fileno()).st_size
        head, riff_size, _ = struct.unpack("<4sI4s", file.read(12).ljust(12, b"\0"))
        while head == b"RIFF" and file.tell() + 8 <= length:
            name, size = struct.unpack("<4sI", file.read(8))
            begin, available = file.tell(), length - file.tell()
            if name == b"data":
                is_known = begin < riff_size + 8 <= length  # then a size of 0 means that there is no sound
                if (size >= 0x7FFF0000 and size > available) or (size == 0 and not is_known):
                    available -= available % block
                    file.seek(0)
                    data = bytearray(file.read(begin + available))
                    data[4:8] = struct.pack("<I", len(data) - 8)
                    data[begin - 4 : begin] = struct.pack("<I", available)
                    return io.BytesIO(data)
                break
            if name == b"fmt ":
                block = max(1, int.from_bytes(file.read(14)[12:], "little"))
            file.seek(begin + size + size % 2)
    return path


def tell_rates(rates: Iterable[int] | Mapping[int, int], rate: int) -> None:
    """Logs a warning with the number of recordings that were resampled.

    Args:
        rates: Sampling rates of all files in Hz, or the number of files of each rate.
        rate: Sampling rate to which they were resampled.
    """
    resampled = {file_rate: n for file_rate, n in Counter(rates).items() if file_rate != rate}
    if resampled:
        counts = ", ".join(f"{n:,} of {file_rate:,} Hz" for file_rate, n in sorted(resampled.items()))
        log.warning("recordings resampled to %s Hz: %s", f"{rate:,}", counts)


def _floats(data: np.ndarray) -> FloatArray:
    """Converts samples to floats, PCM to the range from -1 to 1."""
    if data.dtype == np.uint8:  # PCM of 8 bits is unsigned
        return (data.astype(np.float64) - 128) / 128
    if np.issubdtype(data.dtype, np.integer):  # SciPy returns 24 bits as the upper bits of 32
        return data.astype(np.float64) / -float(np.iinfo(data.dtype).min)
    return data.astype(np.float64)


@dataclass(frozen=True)
class Spectra:
    """Computes frames of audio features: log-mel spectra or MFCC.

    The sound is normalized to one root mean square and cut into overlapping Hann windows. A frame is the
    logarithm of the power of a window in triangular bands of equal width on the mel scale of HTK; or the first
    coefficients of its cosine transform, MFCC (Davis & Mermelstein 1980,
    https://doi.org/10.1109/TASSP.1980.1163420).

    Args:
        rate: Sampling rate in Hz.
        features: `"mel"` or `"mfcc"`.
        bands: Number of mel bands from 20 Hz to half the sampling rate.
        coefficients: Number of coefficients of `"mfcc"`.
        window: Length of a window in milliseconds.
        hop: Time from window to window in milliseconds.

    Raises:
        ConfigError: A band has no frequency of the Fourier transform, there are fewer bands than coefficients, the
            hop is shorter than a sample, or the window is shorter than the hop.

    Example:
        >>> import numpy as np
        >>> from seqtasks.data.audio.features import Spectra
        >>> spectra = Spectra(rate=8000, features="mfcc", coefficients=13)
        >>> spectra(np.zeros(8000, "float32")).shape
        (99, 13)
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
                f"{self.hop_samples} samples; allowed: hop from one sample to the window; set another hop or window"
            )
        if self.features == "mfcc" and self.coefficients > self.bands:
            raise ConfigError(
                f"options.coefficients={self.coefficients} is more than options.bands={self.bands}; set fewer "
                "coefficients or more bands"
            )
        if (empty := int((self._mel.sum(axis=0) == 0).sum())) > 0:
            raise ConfigError(
                f"options.bands={self.bands}: {empty} of them have no frequency of a window of {self.window:g} ms; set "
                "fewer bands or a longer options.window"
            )

    @property
    def samples(self) -> int:
        """Length of a window in samples."""
        return round(self.window * self.rate / 1000)

    @property
    def hop_samples(self) -> int:
        """Number of samples from window to window."""
        return round(self.hop * self.rate / 1000)

    @property
    def width(self) -> int:
        """Number of features of a frame."""
        return self.bands if self.features == "mel" else self.coefficients

    @property
    def size(self) -> int:
        """Length of the Fourier transform: the smallest power of two that is at least twice the window."""
        return 1 << (2 * self.samples - 1).bit_length()

    @property
    def _mel(self) -> FloatArray:
        return mel_matrix(self.rate, self.bands, self.size // 2 + 1)

    def count(self, samples: Any) -> Any:
        """Number of frames, at least 1, for a number of samples or an array of such numbers."""
        beyond_window = np.maximum(np.asarray(samples) - self.samples, 0)
        return 1 + -(-beyond_window // self.hop_samples)

    def __call__(self, wave: FloatArray) -> FloatArray:
        """Computes the frames of a sound; the last window is padded with zeros.

        Args:
            wave: Sound, `(samples,)`.

        Returns:
            Frames, float32 `(frames, width)`.
        """
        from scipy import fft

        rms = float(np.sqrt(np.mean(np.square(wave, dtype=np.float64)))) if len(wave) else 0.0
        frames = int(self.count(len(wave)))
        filled = np.zeros((frames - 1) * self.hop_samples + self.samples)
        filled[: len(wave)] = wave * (LEVEL / rms) if rms > 0 else 0.0
        windows = np.lib.stride_tricks.sliding_window_view(filled, self.samples)[:: self.hop_samples]
        mel = np.zeros((frames, self.bands))
        for i in range(0, frames, BLOCK):
            power = np.abs(fft.rfft(windows[i : i + BLOCK] * hann(self.samples), self.size, axis=1)) ** 2
            mel[i : i + BLOCK] = np.log(power @ self._mel + FLOOR)
        if self.features == "mfcc":
            mel = fft.dct(mel, norm="ortho", axis=1)[:, : self.coefficients]
        return np.asarray(mel, np.float32)


@functools.lru_cache(8)
def hann(samples: int) -> FloatArray:
    """Periodic Hann window, `(samples,)`."""
    from scipy.signal import get_window

    return np.asarray(get_window("hann", samples))


@functools.lru_cache(8)
def mel_matrix(rate: int, bands: int, bins: int) -> FloatArray:
    """Weights of triangular mel bands as in Keras, float64 `(bins, bands)`.

    Args:
        rate: Sampling rate in Hz.
        bands: Number of bands.
        bins: Number of frequencies of the Fourier transform.
    """
    import keras

    layer = keras.layers.MelSpectrogram(sampling_rate=rate, dtype="float32")
    weights = layer.linear_to_mel_weight_matrix(bands, bins, rate, LOWEST, rate / 2)
    return np.asarray(keras.ops.convert_to_numpy(weights), np.float64)
