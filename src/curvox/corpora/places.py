"""Where recordings lie: every path must stay inside the root of its corpus, links included."""

from __future__ import annotations

import os
import stat
from pathlib import Path, PurePosixPath


def absolute(path: str | Path) -> Path:
    """Return ``path`` as an absolute path without ``..``, links not followed."""
    return Path(os.path.abspath(path))


def place_under(source: str, audio_root: Path | None) -> tuple[str, str]:
    """Turn a path of a Kaldi or lhotse manifest into ``(relative path, problem)``; one of the two is empty.

    A relative path stays as it is. An absolute one is accepted only inside ``audio_root``.
    """
    if not source.startswith("/"):
        return str(PurePosixPath(source)) if source else "", "" if source else "the path is empty"
    if audio_root is None:
        return "", f'"{source}" is an absolute path; name the folder that holds the recordings as audio_root'
    for root in (absolute(audio_root), audio_root.resolve()):
        if PurePosixPath(source).is_relative_to(root.as_posix()):
            return str(PurePosixPath(source).relative_to(root.as_posix())), ""
    return "", f'"{source}" lies outside the audio root {audio_root}; move it there or name another audio_root'


class Fence:
    """Tells what is wrong with a path under ``root``; folders are resolved once, so thousands of paths are quick."""

    def __init__(self, root: Path, check_files: bool) -> None:
        self._root = str(root)
        self._real = os.path.realpath(root)
        self._check_files = check_files
        self._folders: dict[str, bool] = {}

    def problem(self, path: str) -> str:
        """Return what is wrong with ``path``, or ''."""
        if path.startswith("/"):
            return f'"{path}" is absolute; paths are relative to the folder of the corpus'
        if "\x00" in path or ".." in path.split("/"):
            return f'"{path}" may leave the folder of the corpus; write it without ".."'
        folder, _, _ = path.rpartition("/")
        if not self._holds(folder):
            return f'"{path}" leads outside the folder of the corpus through a link; put the recordings inside'
        return self._file_problem(path)

    def _holds(self, folder: str) -> bool:
        if folder not in self._folders:
            real = os.path.realpath(os.path.join(self._root, folder))
            self._folders[folder] = self._inside(real)
        return self._folders[folder]

    def _inside(self, real: str) -> bool:
        return real == self._real or real.startswith(self._real.rstrip("/") + "/")

    def _file_problem(self, path: str) -> str:
        full = f"{self._root}/{path}"
        try:
            status = os.lstat(full)
            if stat.S_ISLNK(status.st_mode):
                if not self._inside(os.path.realpath(full)):
                    return f'"{path}" is a link to outside the folder of the corpus; put the recording inside'
                status = os.stat(full)
        except OSError as error:
            return f'no recording at "{path}" ({error.strerror})' if self._check_files else ""
        if not self._check_files:
            return ""
        if not stat.S_ISREG(status.st_mode):
            return f'"{path}" is not a file'
        return "" if status.st_size else f'"{path}" is empty (0 bytes)'
