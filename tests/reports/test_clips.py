"""Excerpts of real files: what is played is what was recorded, and a page stays small."""

import base64
import io
from dataclasses import replace

import numpy as np
import pytest
import soundfile

from curvox.audio import read_audio
from curvox.corpora import Corpus, read_corpus
from curvox.errors import InputError
from curvox.reports import clips_of


@pytest.fixture(scope="module")
def corpus(voices):
    return read_corpus(voices)


def decoded(clip):
    samples, rate = soundfile.read(io.BytesIO(clip.audio), dtype="float32")
    return samples, rate


def test_clips__play_the_recording_at_the_rate_of_the_model(corpus):
    utterance = corpus.utterances[0]
    (clip,) = clips_of([utterance.utterance], corpus, sampling_rate_hz=8000).values()
    samples, rate = decoded(clip)
    whole = read_audio(corpus.path_of(utterance), sampling_rate_hz=8000)
    assert rate == 8000
    assert not clip.cut
    assert clip.seconds == pytest.approx(len(whole) / 8000)
    np.testing.assert_allclose(samples, np.clip(whole, -1, 1), atol=2 / 32768)
    head, data = clip.address.split(",")
    assert head == "data:audio/flac;base64"
    assert base64.b64decode(data) == clip.audio


def test_clips__cut_long_recordings_and_keep_to_the_segment(corpus):
    first = corpus.utterances[0]
    segment = replace(first, utterance="segment", start_s=0.2, segment_s=0.4, duration_s=0.4)
    both = Corpus(corpus.root, (first, segment), "both")
    clips = clips_of(["segment", first.utterance], both, longest_s=0.5)
    whole = read_audio(both.path_of(first))
    assert clips["segment"].cut is False
    assert clips[first.utterance].cut is True
    np.testing.assert_allclose(decoded(clips["segment"])[0], whole[3200:9600], atol=2 / 32768)
    np.testing.assert_allclose(decoded(clips[first.utterance])[0], whole[:8000], atol=2 / 32768)


def test_clips__together_stay_below_the_size_asked_for(corpus):
    names = [utterance.utterance for utterance in corpus.utterances[:6]]
    free = clips_of(names, corpus)
    size = sum(len(clip.audio) for clip in free.values())
    tight = clips_of(names, corpus, largest_bytes=size * 2 // 3)
    assert all(clip.audio for clip in tight.values())
    assert sum(len(clip.audio) for clip in tight.values()) <= size * 2 // 3
    assert all(clip.seconds <= free[name].seconds for name, clip in tight.items())
    # Each occurrence on the page counts.
    twice = clips_of(names * 2, corpus, largest_bytes=size)
    assert 2 * sum(len(clip.audio) for clip in twice.values()) <= size
    nothing = clips_of(names, corpus, largest_bytes=100)
    assert all(not clip.audio and "keep the page small" in clip.reason for clip in nothing.values())


def test_clips__of_a_broken_recording_give_the_reason(corpus, tmp_path):
    (tmp_path / "text.wav").write_text("hello")
    broken = replace(corpus.utterances[0], utterance="text", path="text.wav")
    gone = replace(corpus.utterances[0], utterance="gone", path="gone.wav")
    clips = clips_of(["text", "gone"], Corpus(tmp_path, (broken, gone), "broken"))
    assert not any(clip.audio for clip in clips.values())
    assert "text.wav" in clips["text"].reason
    assert "gone.wav" in clips["gone"].reason


def test_clips__refuse_no_length_and_no_size(corpus):
    with pytest.raises(InputError, match="above 0"):
        clips_of([], corpus, longest_s=0.0)
    with pytest.raises(InputError, match="above 0"):
        clips_of([], corpus, largest_bytes=0)
