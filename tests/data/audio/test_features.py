"""WAV files of all formats, and frames compared with spectra of Keras."""

import logging
import struct

import numpy as np
import pytest
from keras import ops
from scipy.io import wavfile

from seqtasks.core.errors import ConfigError, DataError
from seqtasks.data.audio import features
from seqtasks.data.audio.features import FLOOR, LEVEL, Spectra, hann, mel_matrix, read_wav, tell_rates

WAVE = 0.5 * np.sin(2 * np.pi * 440 * np.arange(4000) / 8000)


def write24(path, wave, rate=8000):
    """Writes PCM of 24 bits, which SciPy cannot write."""
    values = np.round(wave * (2**23 - 1)).astype("<i4")
    data = values.view(np.uint8).reshape(-1, 4)[:, :3].tobytes()
    head = struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", 36 + len(data), b"WAVE", b"fmt ", 16, 1, 1, rate, rate * 3, 3, 24,
                       b"data", len(data))  # fmt: skip
    path.write_bytes(head + data)


@pytest.mark.parametrize(
    ("kind", "close"), [("uint8", 0.01), ("int16", 1e-4), ("int32", 1e-6), ("float32", 1e-6), ("float64", 1e-6)]
)
def test_every_width_gives_the_same_sound(tmp_path, kind, close):
    data = WAVE.astype(kind) if kind.startswith("float") else (WAVE * np.iinfo("int16").max).astype("int16")
    if kind == "int32":
        data = (WAVE * (2**31 - 1)).astype("int32")
    if kind == "uint8":
        data = np.round(WAVE * 127 + 128).astype("uint8")
    wavfile.write(tmp_path / "a.wav", 8000, data)
    wave, rate = read_wav(tmp_path / "a.wav", 8000)
    assert wave.dtype == np.float32 and rate == 8000
    np.testing.assert_allclose(wave, WAVE, atol=close)


def test_24_bits(tmp_path):
    write24(tmp_path / "a.wav", WAVE)
    np.testing.assert_allclose(read_wav(tmp_path / "a.wav", 8000)[0], WAVE, atol=1e-6)


def test_channels_are_averaged(tmp_path):
    wavfile.write(tmp_path / "a.wav", 8000, np.stack([WAVE, -WAVE, 3 * WAVE], 1).astype("float32"))
    np.testing.assert_allclose(read_wav(tmp_path / "a.wav", 8000)[0], WAVE, atol=1e-6)


@pytest.mark.parametrize("rate", [44100, 16000, 6000])
def test_other_sample_rate_is_resampled_with_a_message(tmp_path, caplog, rate):
    time = np.arange(rate) / rate
    wavfile.write(tmp_path / "a.wav", rate, (0.5 * np.sin(2 * np.pi * 440 * time)).astype("float32"))
    wave, file_rate = read_wav(tmp_path / "a.wav", 8000)
    assert file_rate == rate and len(wave) == 8000
    expected = 0.5 * np.sin(2 * np.pi * 440 * np.arange(8000) / 8000)
    np.testing.assert_allclose(wave[200:-200], expected[200:-200], atol=0.01)
    with caplog.at_level(logging.WARNING):
        tell_rates([8000, rate, rate], 8000)
    assert f"2 of {rate:,} Hz" in caplog.text and "resampled to 8,000 Hz" in caplog.text


@pytest.mark.parametrize(("riff", "size"), [(2**32 - 1, 2**32 - 1), (0, 0), (36, 0), (2**31 + 36, 2**31)])
@pytest.mark.parametrize("tail", [b"", b"\1"])  # a program that was stopped leaves half a sample
def test_a_stream_whose_length_its_header_does_not_know_is_read_to_the_end(tmp_path, riff, size, tail):
    path = tmp_path / "a.wav"
    wavfile.write(path, 8000, (WAVE * 32767).astype("int16"))
    data = path.read_bytes()
    path.write_bytes(data[:4] + struct.pack("<I", riff) + data[8:40] + struct.pack("<I", size) + data[44:] + tail)
    np.testing.assert_allclose(read_wav(path, 8000)[0], WAVE, atol=1e-4)


def test_no_sound_and_a_length_that_is_cut_short_stay_errors(tmp_path):
    path = tmp_path / "a.wav"
    wavfile.write(path, 8000, np.zeros(0, np.int16))
    with pytest.raises(DataError, match="has no samples"):
        read_wav(path, 8000)
    path.write_bytes(path.read_bytes()[:4] + struct.pack("<I", 36 + 12) + path.read_bytes()[8:] + b"LIST\4\0\0\0abcd")
    with pytest.raises(DataError, match="has no samples"):
        read_wav(path, 8000)
    wavfile.write(path, 8000, (WAVE * 32767).astype("int16"))
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DataError, match="cannot be read as WAV"):
        read_wav(path, 8000)


def test_a_chunk_of_another_program_is_skipped(tmp_path):
    wavfile.write(tmp_path / "a.wav", 8000, WAVE.astype("float32"))
    data = (tmp_path / "a.wav").read_bytes()
    extended = data + b"XYZW" + struct.pack("<I", 4) + b"1234"
    (tmp_path / "a.wav").write_bytes(extended[:4] + struct.pack("<I", len(extended) - 8) + extended[8:])
    np.testing.assert_allclose(read_wav(tmp_path / "a.wav", 8000)[0], WAVE, atol=1e-6)


def test_a_ratio_of_rates_without_a_common_factor_needs_little_memory(tmp_path):
    wavfile.write(tmp_path / "a.wav", 999_983, np.sin(np.arange(99_998) / 100).astype("float32"))  # a prime number
    wave, rate = read_wav(tmp_path / "a.wav", 8000)
    assert rate == 999_983 and abs(len(wave) - 800) <= 1
    expected = np.sin(np.arange(len(wave)) * 999_983 / 8000 / 100)
    np.testing.assert_allclose(wave[50:-50], expected[50:-50], atol=2e-2)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda p: p.unlink(), "does not exist; give a WAV file"),
        (lambda p: (p.unlink(), p.mkdir()), "is a folder; give a WAV file"),
        (lambda p: p.write_bytes(b""), "cannot be read as WAV"),
        (lambda p: p.write_bytes(b"ID3 this is an MP3"), "cannot be read as WAV"),
        (lambda p: p.write_bytes(p.read_bytes()[:1000]), "cannot be read as WAV"),
        (lambda p: p.write_bytes(p.read_bytes()[:30]), "cannot be read as WAV"),
        (lambda p: wavfile.write(p, 8000, np.zeros(0, "int16")), "has no samples"),
        (
            lambda p: wavfile.write(p, 1_073_733_440, np.ones(9, "int16")),
            "sampling rate of 1073733440 Hz; allowed: 1 to 1000000",
        ),
        (lambda p: wavfile.write(p, 8000, np.array([0, np.nan], "float32")), "not finite numbers"),
    ],
)
def test_what_is_broken_is_named(tmp_path, damage, message):
    path = tmp_path / "bad.wav"
    wavfile.write(path, 8000, (WAVE * 32767).astype("int16"))
    damage(path)
    with pytest.raises(DataError, match=rf"bad\.wav .*{message}"):
        read_wav(path, 8000)


def sound(samples, seed=0):
    return np.random.default_rng(seed).normal(size=samples).astype("float32")


def test_frames_are_keras_spectra_in_keras_bands():
    spectra, wave = Spectra(), sound(1600)
    real, imaginary = ops.stft(
        wave, spectra.samples, spectra.hop_samples, spectra.size, window="hann", center=False
    )  # fmt: skip
    power = np.array(real) ** 2 + np.array(imaginary) ** 2
    # Keras puts the window into the middle of its transform.
    aligned = wave[(spectra.size - spectra.samples) // 2 :]
    power *= LEVEL**2 / np.mean(aligned.astype("float64") ** 2)
    expected = np.log(power @ mel_matrix(8000, 40, spectra.size // 2 + 1) + FLOOR)
    np.testing.assert_allclose(spectra(aligned)[: len(expected)], expected, atol=2e-3)


@pytest.mark.parametrize("samples", [1, 199, 200, 201, 280, 281, 1234])
def test_every_sample_is_in_a_frame(samples):
    spectra = Spectra()
    assert len(spectra(sound(samples))) == spectra.count(samples)
    covered = (spectra.count(samples) - 1) * spectra.hop_samples + spectra.samples
    assert samples <= covered < max(samples, spectra.samples) + spectra.hop_samples
    np.testing.assert_array_equal(spectra.count([samples, 200]), [spectra.count(samples), 1])


def test_long_sounds_are_made_in_blocks(monkeypatch):
    wave = sound(3000)
    whole = Spectra()(wave)
    monkeypatch.setattr(features, "BLOCK", 7)
    np.testing.assert_allclose(Spectra()(wave), whole, atol=1e-6)


def test_tone_is_in_its_frequency_band_at_any_loudness():
    spectra = Spectra()
    tone = np.sin(2 * np.pi * 1000 * np.arange(4000) / 8000).astype("float32")
    edges = np.linspace(*(2595 * np.log10(1 + np.array([20, 4000]) / 700)), 42)
    band = np.argmin(abs(edges[1:-1] - 2595 * np.log10(1 + 1000 / 700)))
    assert (spectra(tone).argmax(axis=1) == band).all()
    np.testing.assert_allclose(spectra(tone * 1e-3), spectra(tone), atol=1e-4)


def test_silent_and_empty_recordings_have_frames():
    for wave in (np.zeros(500, "float32"), np.zeros(0, "float32")):
        assert np.allclose(Spectra()(wave), np.log(FLOOR))


def test_mfcc_are_cosine_coefficients():
    wave, bands = sound(1000), 20
    mel = Spectra(bands=bands)(wave)
    n, k = np.arange(bands), np.arange(13)[:, None]
    matrix = np.cos(np.pi * k * (n + 0.5) / bands) * np.where(k == 0, np.sqrt(1 / bands), np.sqrt(2 / bands))
    mfcc = Spectra(features="mfcc", bands=bands)(wave)
    np.testing.assert_allclose(mfcc, mel @ matrix.T, atol=1e-4)
    assert Spectra(features="mfcc").width == 13


def test_the_window_is_hanns():
    np.testing.assert_allclose(hann(8), 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(8) / 8))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"hop": 30.0}, r"options\.window=25 and options\.hop=30 ms .* set another"),
        ({"hop": 0.01}, "hop from one sample to the window"),
        ({"bands": 200}, r"options\.bands=200: \d+ of them have no frequency of a window"),
        ({"features": "mfcc", "coefficients": 50}, r"options\.coefficients=50 is more than options\.bands=40"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        Spectra(**settings)
