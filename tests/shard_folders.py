"""Small folders of shards, and a server for them, for tests."""

from __future__ import annotations

import http.server
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import soundfile

from curvox.audio import SHARD_LABELS, Shard, encode_member, write_shard, write_shard_index
from curvox.files import sha256_of

RATE_HZ = 16000


def make_shards(folder: Path, shards: int = 4, each: int = 3, codec: str = "flac") -> list[np.ndarray]:
    """Write recordings of noise as shards; return their samples, in order."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    waves, described, rows = [], [], []
    for number in range(shards):
        members = []
        for place in range(each):
            samples = (3000 * rng.standard_normal(4000 + 500 * place)).astype(np.int16)
            path = folder / "source.wav"
            soundfile.write(path, samples, RATE_HZ, "PCM_16")
            members.append(
                (f"u{number}/{place}", encode_member(path, (0, None), codec=codec, sampling_rate_hz=RATE_HZ))
            )
            path.unlink()
            waves.append(samples)
        tar = folder / f"train-{number:06d}.tar"
        with tar.open("wb") as file:
            rows += [[number, *row] for row in write_shard(file, members).tolist()]
        described.append(Shard(tar.name, tar.stat().st_size, sha256_of(tar), each))
    (folder / SHARD_LABELS).write_text("labels")
    write_shard_index(
        folder, sampling_rate_hz=RATE_HZ, codec=codec, corpus="noise", shards=described, members=np.array(rows)
    )
    return waves


class _Handler(http.server.SimpleHTTPRequestHandler):
    requests: Counter[str]
    failures: Counter[str]

    def do_GET(self) -> None:
        name = self.path.rpartition("/")[2]
        type(self).requests[name] += 1
        if type(self).failures[name] > 0:
            type(self).failures[name] -= 1
            self.send_error(503)
            return
        super().do_GET()

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def served(folder: Path) -> Iterator[tuple[str, Counter[str], Counter[str]]]:
    """Serve a folder over HTTP; yield its address, how often each file was asked for, and how often each is to fail."""
    handler = type("Handler", (_Handler,), {"requests": Counter(), "failures": Counter()})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", handler.requests, handler.failures
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
