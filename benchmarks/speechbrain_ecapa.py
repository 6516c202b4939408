"""SpeechBrain's ECAPA-TDNN and its AAM-Softmax, where SpeechBrain is installed: a rival in the train-step benchmark."""

from __future__ import annotations

import importlib.util
import sys
import types

from torch import Tensor, nn

INSTALL = "pip install --no-deps --target FOLDER speechbrain hyperpyyaml ruamel.yaml, then --speechbrain FOLDER"


def find_speechbrain(folder: str | None) -> str | None:
    """Return SpeechBrain's version, or None when it is not installed; ``folder`` is searched first.

    SpeechBrain imports torchaudio on its way to the network, which calls nothing of it. Where torchaudio is missing, an
    empty module of that name stands in, in this process alone.
    """
    if folder is not None:
        sys.path.insert(0, folder)
    if importlib.util.find_spec("speechbrain") is None:
        return None
    if importlib.util.find_spec("torchaudio") is None:
        sys.modules["torchaudio"] = types.ModuleType("torchaudio")
        # From this version on SpeechBrain asks it for nothing when it is imported.
        vars(sys.modules["torchaudio"])["__version__"] = "2.9.0"
    import speechbrain  # pyright: ignore[reportMissingImports]

    return speechbrain.__version__


class SpeechBrainECAPA(nn.Module):
    """Features (B, T, n_mels) to embeddings (B, dim)."""

    def __init__(self, n_mels: int, channels: int, aggregated: int, dim: int):
        super().__init__()
        from speechbrain.lobes.models.ECAPA_TDNN import ECAPA_TDNN  # pyright: ignore[reportMissingImports]

        self.network = ECAPA_TDNN(n_mels, channels=[channels] * 4 + [aggregated], lin_neurons=dim)

    def forward(self, features: Tensor) -> Tensor:
        return self.network(features)[:, 0]


class SpeechBrainAAM(nn.Module):
    """SpeechBrain's cosine classifier and additive angular margin."""

    def __init__(self, dim: int, speakers: int, scale: float = 30.0, margin: float = 0.2):
        super().__init__()
        from speechbrain.lobes.models.ECAPA_TDNN import Classifier  # pyright: ignore[reportMissingImports]
        from speechbrain.nnet.losses import (  # pyright: ignore[reportMissingImports]
            AdditiveAngularMargin,
            LogSoftmaxWrapper,
        )

        self.classifier = Classifier(dim, lin_neurons=dim, out_neurons=speakers)
        self.value = LogSoftmaxWrapper(AdditiveAngularMargin(margin, scale))

    def forward(self, z: Tensor, speakers: Tensor) -> Tensor:
        return self.value(self.classifier(z.unsqueeze(1)), speakers.unsqueeze(1))
