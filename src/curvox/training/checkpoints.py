"""Lightning's checkpoints as curvox folders: model files and training state, written as one act, never pickled."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lightning.fabric.plugins import CheckpointIO

from curvox.embedder import Embedder, write_embedder
from curvox.errors import CheckpointError
from curvox.files import replace_folder, settle_folder
from curvox.training.state_tree import REST, read_state, write_state


class FolderCheckpointIO(CheckpointIO):
    """Writes ``last``: the model as `load_embedder` reads it, and beside it what resuming needs."""

    def __init__(self) -> None:
        self.model: Embedder | None = None

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None) -> None:
        model = self.model
        assert model is not None, "the run sets the model before it trains"

        def write(folder: Path) -> None:
            write_embedder(model, folder)
            write_state(checkpoint, folder)

        replace_folder(Path(path), write)

    def load_checkpoint(
        self, path: Any, map_location: Any | None = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        folder = Path(path)
        settle_folder(folder)
        return read_training_state(folder)

    def remove_checkpoint(self, path: Any) -> None:
        raise NotImplementedError("curvox keeps one folder for the best and one for the last checkpoint")


def read_training_state(folder: Path) -> dict[str, Any]:
    """Return the training state in a ``last`` folder.

    Raises:
        CheckpointError: there is none, or it is damaged or foreign.
    """
    if not (folder / REST).is_file():
        raise CheckpointError(
            f"{folder} holds no training state; expected the run of a training, such as runs/x, or its last/"
        )
    state = read_state(folder)
    if not isinstance(state, dict) or not {"curvox", "state_dict", "pytorch-lightning_version"} <= state.keys():
        raise CheckpointError(f"{folder} was not written by a training run; take the whole folder of one run")
    if "speakers" not in state["curvox"]:
        raise CheckpointError(f"{folder} was written by an older version, which kept no names of speakers; train anew")
    return state
