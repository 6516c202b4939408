"""The model a user holds: front end, encoder and the space in which its embeddings are compared."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from curvox.audio import (
    FilterBank,
    check_waveform,
    from_int16,
    measure_quality,
    read_audio,
    subtract_mean,
    to_int16,
)
from curvox.corpora import Corpus
from curvox.embedder.card.decision_card import CalibratedScoring
from curvox.embedder.decisions import EmbeddedRecordings, Verification, decide, decision_rule
from curvox.errors import AudioError, InputError
from curvox.geometry import AbstractSpace

Source = str | Path | np.ndarray
Progress = Callable[[int, int], None]
"""Told how many recordings are done, of how many."""
BATCH_S = 60.0
"""Seconds of padded audio that are embedded at once."""
BLOCK_S = 600.0
"""Seconds of audio that are read before they are embedded; within them batches are formed by length."""


@dataclass(frozen=True)
class DevResult:
    """How the model did on its dev trials: EER as a fraction, the score threshold there, and the counts behind it."""

    eer: Annotated[float, Field(ge=0, le=1)]
    threshold: float
    targets: int
    nontargets: int
    epoch: int


class Embedder(nn.Module):
    """Waveform to embedding.

    ``forward`` maps waveforms (B, samples) in [-1, 1] at ``sampling_rate_hz`` to raw embeddings (B, D); ``embed``
    returns points of ``space``. The same recording gives the same embedding alone, in a batch, padded or not (up to
    float32 rounding, 1e-5).

    Args:
        filter_bank: the front end.
        encoder: features (B, T, n_mels) and lengths to raw embeddings (B, D).
        space: where embeddings are compared.
        description: name and options of encoder, features and training, as they go into the checkpoint.
        dev: result on the dev trials, if there is one.
        calibrated: the scoring of its decision card, if it was calibrated.
    """

    def __init__(
        self,
        filter_bank: FilterBank,
        encoder: nn.Module,
        space: AbstractSpace,
        description: dict[str, Any],
        dev: DevResult | None = None,
        calibrated: CalibratedScoring | None = None,
    ):
        super().__init__()
        self.filter_bank = filter_bank
        self.encoder = encoder
        self.space = space
        self.description = description
        self.dev = dev
        self.calibrated = calibrated

    @property
    def sampling_rate_hz(self) -> int:
        """The rate at which waveforms come in."""
        return self.filter_bank.sampling_rate_hz

    def features(self, waveforms: Tensor, lengths_samples: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """Return mean-normalised log-mel features (B, T, n_mels) and their lengths in frames."""
        features, lengths_frames = self.filter_bank(waveforms, lengths_samples)
        lengths = None if lengths_samples is None else lengths_frames
        return subtract_mean(features, lengths), lengths

    def forward(self, waveforms: Tensor, lengths_samples: Tensor | None = None) -> Tensor:
        return self.encoder(*self.features(waveforms, lengths_samples))

    @property
    def embedding_dim(self) -> int:
        """Size D of the embedding."""
        return int(self.encoder.embedding_dim)  # pyright: ignore[reportArgumentType]

    def embed(self, source: Source, *, sampling_rate_hz: int | None = None) -> np.ndarray:
        """Embed one recording.

        Args:
            source: path of an audio file, or a waveform (samples,) in [-1, 1].
            sampling_rate_hz: rate of a waveform; must be the model's, files are resampled.

        Returns:
            The point of ``space``, (D,) float32.

        Raises:
            AudioError: the recording cannot be used; the message says why.
        """
        return self._points_and_norms([self.waveform(source, sampling_rate_hz)])[0][0]

    def embed_files(self, paths: Sequence[str | Path], progress: Progress | None = None) -> np.ndarray:
        """Embed files, (N, D) float32 in the order of ``paths``; see `embed_recordings`."""
        return self.embed_recordings([partial(self.waveform, path) for path in paths], progress=progress).points

    def embed_utterances(
        self, corpus: Corpus, names: Sequence[str], *, measure: bool = False, progress: Progress | None = None
    ) -> EmbeddedRecordings:
        """Embed utterances of a corpus, by their names and in their order; see `embed_recordings`."""
        readers = [partial(self._utterance, corpus, name) for name in names]
        return self.embed_recordings(readers, measure=measure, progress=progress)

    def embed_recordings(
        self,
        readers: Sequence[Callable[[], np.ndarray]],
        *,
        measure: bool = False,
        progress: Progress | None = None,
    ) -> EmbeddedRecordings:
        """Embed what each reader returns, a waveform at the model's rate, in their order.

        Each recording is read once; at most `BLOCK_S` seconds of audio, or one recording, are held at once.

        Args:
            readers: one for each recording.
            measure: whether to measure the quality of the recordings too, for a calibration by quality.
            progress: told how many recordings of how many are done.

        Raises:
            AudioError: recordings cannot be used; all of them are counted, the first 20 named.
        """
        points, norms, qualities = [np.zeros((0, self.embedding_dim), np.float32)], [np.zeros(0)], []
        for block in self._blocks(readers, progress):
            block_points, block_norms = self._points_and_norms(block)
            points.append(block_points)
            norms.append(block_norms)
            if measure:
                qualities += [measure_quality(waveform, self.sampling_rate_hz) for waveform in block]
        return EmbeddedRecordings(np.concatenate(points), np.concatenate(norms), tuple(qualities))

    @torch.inference_mode()
    def embed_batches(
        self, waveforms: Sequence[np.ndarray], *, batch_s: float = BATCH_S
    ) -> Iterator[tuple[list[int], Tensor]]:
        """Yield the raw embeddings (B, D) of waveforms at the model's rate, in batches of similar lengths.

        Each comes with the positions of its waveforms. The model is in evaluation mode until the last of them.

        Args:
            waveforms: (samples,) each, in [-1, 1].
            batch_s: seconds of padded audio in a batch; a longer waveform is a batch of its own.
        """
        was_training = self.training
        self.eval()
        try:
            for batch in batches_by_length([len(w) for w in waveforms], int(batch_s * self.sampling_rate_hz)):
                # Training hears 16-bit samples. Finer ones differ where there is nothing but rounding, such as above
                # 4 kHz in telephone speech, and the logarithm of the filter banks makes that difference large.
                padded, lengths = pad([from_int16(to_int16(waveforms[i])) for i in batch])
                device = next(self.encoder.parameters()).device
                yield batch, self(padded.to(device), lengths.to(device))
        finally:
            self.train(was_training)

    def verify(
        self,
        enrolment: Source | Sequence[Source],
        test: Source,
        *,
        operating_point: str | None = None,
        prior: float | None = None,
        scorer: str | None = None,
    ) -> Verification:
        """Compare a recording with one or several of a known speaker.

        Several enrolment recordings make one point in the middle of theirs, by the way of the model's space. Without a
        decision card nothing is decided.

        Args:
            enrolment: path or waveform of the known speaker, or several.
            test: path or waveform in question.
            operating_point: where to decide; see `choose_point`. None decides for equal costs at ``prior``.
            prior: probability of the same speaker before hearing, in (0, 1); if None that of the operating point, or
                0.5.
            scorer: a name in the table of scorers, for a score by another one, which is not calibrated; None takes that
                of the decision card, or without one that of the model's space.

        Raises:
            AudioError: a recording cannot be used.
            InputError: an operating point or a prior for a model without a decision card, or numbers out of range.
        """
        rule = decision_rule(self.calibrated, operating_point=operating_point, prior=prior, scorer=scorer)
        sources = [enrolment] if isinstance(enrolment, (str, Path, np.ndarray)) else list(enrolment)
        if not sources:
            raise InputError("at least one enrolment recording is needed, got none")
        readers = [partial(self.waveform, source) for source in (*sources, test)]
        names = [*_names("enrolment", sources), *_names("test", [test])]
        return decide(rule, self.space, self.embed_recordings(readers, measure=True), names)

    def waveform(self, source: Source, sampling_rate_hz: int | None = None) -> np.ndarray:
        """Return a recording as the model takes it, float32 (samples,) at its rate; see `embed`."""
        if isinstance(source, (str, Path)):
            return read_audio(source, sampling_rate_hz=self.sampling_rate_hz)
        if sampling_rate_hz not in (None, self.sampling_rate_hz):
            raise InputError(
                f"a waveform must come at the model's {self.sampling_rate_hz} Hz, got {sampling_rate_hz} Hz; "
                "resample it first"
            )
        waveform = np.asarray(source, dtype=np.float32)
        check_waveform(waveform, self.sampling_rate_hz, "waveform")
        return waveform

    def _utterance(self, corpus: Corpus, name: str) -> np.ndarray:
        utterance = corpus[name]
        try:
            return read_audio(
                corpus.path_of(utterance),
                sampling_rate_hz=self.sampling_rate_hz,
                start_s=utterance.start_s,
                duration_s=utterance.segment_s,
            )
        except AudioError as error:
            raise AudioError(f"{name}: {error}") from error

    def _blocks(
        self, readers: Sequence[Callable[[], np.ndarray]], progress: Progress | None
    ) -> Iterator[list[np.ndarray]]:
        """Yield what the readers return, in lists of at most `BLOCK_S` seconds or one recording.

        After the first recording that cannot be used nothing is yielded; the rest is read to name them all.
        """
        failures: list[str] = []
        block: list[np.ndarray] = []
        for done, read in enumerate(readers, start=1):
            try:
                block.append(read())
            except AudioError as error:
                failures.append(str(error))
            if failures:
                block.clear()
            elif done == len(readers) or sum(map(len, block)) >= BLOCK_S * self.sampling_rate_hz:
                yield block
                block = []
            if progress:
                progress(done, len(readers))
        if failures:
            shown = "\n  ".join(failures[:20])
            raise AudioError(f"{len(failures)} of {len(readers)} recordings cannot be used:\n  {shown}")

    @torch.inference_mode()
    def _points_and_norms(self, waveforms: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Return points (N, D) float32 of waveforms at the model's rate, and norms (N,) of the raw embeddings."""
        points = np.zeros((len(waveforms), self.embedding_dim), np.float32)
        norms = np.zeros(len(waveforms))
        for batch, z in self.embed_batches(waveforms):
            points[batch] = self.space.project(z).float().cpu().numpy()
            norms[batch] = torch.linalg.vector_norm(z.double(), dim=-1).cpu().numpy()
        if not np.isfinite(points).all():
            row = int(np.flatnonzero(~np.isfinite(points).all(axis=1))[0])
            raise InputError(f"the embedding of recording {row} is not finite: the model's weights are damaged")
        return points, norms


def batches_by_length(lengths: Sequence[int], budget: int) -> list[list[int]]:
    """Group positions by similar length so that a padded batch holds at most ``budget`` samples (or one item)."""
    batches: list[list[int]] = []
    for position in sorted(range(len(lengths)), key=lambda i: lengths[i]):
        if batches and (len(batches[-1]) + 1) * lengths[position] <= budget:
            batches[-1].append(position)
        else:
            batches.append([position])
    return batches


def pad(waveforms: Sequence[np.ndarray]) -> tuple[Tensor, Tensor]:
    """Stack waveforms into (B, S) with zeros behind, and their lengths (B,)."""
    lengths = torch.tensor([len(w) for w in waveforms])
    padded = torch.zeros(len(waveforms), int(lengths.max()))
    for row, waveform in zip(padded, waveforms, strict=True):
        row[: len(waveform)] = torch.from_numpy(np.ascontiguousarray(waveform, dtype=np.float32))
    return padded, lengths


def _names(side: str, sources: Sequence[Source]) -> list[str]:
    return [
        str(source) if isinstance(source, (str, Path)) else f"the {side} waveform {i + 1}"
        for i, source in enumerate(sources)
    ]
