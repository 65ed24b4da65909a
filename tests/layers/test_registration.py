"""A saved model loads with plain Keras, whichever of the two was imported first."""

import subprocess
import sys

import keras
import pytest

import seqtasks
from seqtasks.core.config import EncoderConfig
from seqtasks.layers.encoder import Encoder
from seqtasks.layers.losses import SmoothedCrossentropy
from seqtasks.layers.permute_time import PermuteTime


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    inputs = keras.Input((4, 3))
    x, _ = Encoder(EncoderConfig(cell="gru", units=2, bidirectional=True))(PermuteTime([1, 0, 3, 2])(inputs))
    model = keras.Model(inputs, x)
    model.compile("adam", SmoothedCrossentropy(0.1))
    path = tmp_path_factory.mktemp("saved") / "model.keras"
    model.save(path)
    return path


def python(code, *arguments):
    done = subprocess.run([sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.strip()


LOAD = "import sys; {}; print(keras.models.load_model(sys.argv[1]).output_shape)"
STAYS = """
print(type(keras.__spec__.loader).__name__, keras.__spec__.loader is keras.__loader__)
print(any(type(finder).__module__.startswith("seqtasks") for finder in sys.meta_path))
"""


def test_a_model_loads_where_seqtasks_came_first_and_keras_is_as_ever(saved):
    told = python(LOAD.format("import seqtasks, keras") + STAYS, saved)
    assert told.splitlines() == ["(None, 4, 4)", "SourceFileLoader True", "False"]


@pytest.mark.slow
def test_a_model_loads_where_keras_came_first(saved):
    assert python(LOAD.format("import keras, seqtasks"), saved) == "(None, 4, 4)"


@pytest.mark.slow
def test_a_model_loads_where_a_public_name_brought_keras(saved):
    assert python(LOAD.format("from seqtasks import Recurrent; import keras"), saved) == "(None, 4, 4)"


def test_importing_seqtasks_imports_no_keras():
    slow = ("keras", "tensorflow", "numpy", "pandas", "sklearn")
    code = f"import sys, seqtasks; seqtasks.EncoderConfig(); print([m for m in {slow} if m in sys.modules])"
    assert python(code) == "[]"


def test_every_public_name_can_be_had():
    assert all(getattr(seqtasks, name) is not None for name in seqtasks.__all__)
    assert len(set(seqtasks.__all__)) == len(seqtasks.__all__)
    with pytest.raises(AttributeError, match="No seqtasks attribute nonsense"):
        seqtasks.nonsense  # noqa: B018
