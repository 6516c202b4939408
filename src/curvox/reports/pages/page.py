"""What pages share: the frame of a page that works offline, figures on it, and excerpts of recordings to hear."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from curvox.audio import read_audio, read_audio_info
from curvox.corpora import Corpus
from curvox.errors import AudioError, InputError, MissingExtraError
from curvox.evaluating import installed_versions
from curvox.reports.citations import citations_for


@dataclass(frozen=True)
class PageFigure:
    """A picture on a page, with its heading and what to read in it."""

    svg: str
    title: str
    caption: str


def fill_page(
    template: str,
    values: Mapping[str, Any],
    *,
    command: str,
    versions: Sequence[tuple[str, str]] | None,
    facts: Iterable[tuple[str, str]] = (),
    papers: Iterable[str] = (),
) -> str:
    """Return the HTML of a page; every text in it is escaped, and the same values give the same HTML.

    Args:
        template: its name, without the endings.
        values: what the template shows.
        command: the command line that makes the page again; "" where none does.
        versions: of the packages, as (name, version); those installed where it is None.
        facts: further lines on how the page was made, as (label, text).
        papers: BibTeX keys of what is to be cited.

    Raises:
        MissingExtraError: Jinja is not installed.
    """
    try:
        from jinja2 import Environment, PackageLoader, StrictUndefined
        from markupsafe import Markup
    except ImportError as error:
        raise MissingExtraError("pages need Jinja; install it: pip install jinja2") from error
    environment = Environment(
        loader=PackageLoader("curvox.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # Figures alone enter as markup; they come from drawing.py, whose serialiser escapes what labels hold.
    environment.filters["svg"] = Markup
    made = {
        "command": command,
        "versions": installed_versions() if versions is None else versions,
        "made_facts": list(facts),
        "bibtex": citations_for(papers),
    }
    return environment.get_template(f"{template}.html.jinja").render(**values, **made)


# Excerpts: short, compressed without loss, inside the HTML itself.

LONGEST_S = 10.0
"""Seconds of a recording that a page plays at most."""
LARGEST_BYTES = 6_500_000
"""All excerpts of a page together; text makes them a third larger, so that a page stays below 10 MB."""


@dataclass(frozen=True)
class Clip:
    """The beginning of a recording.

    Attributes:
        audio: a FLAC file; empty where the recording could not be read.
        seconds: how long the excerpt is.
        cut: whether the recording goes on after it.
        reason: why there is no audio; "" if there is.
    """

    audio: bytes
    seconds: float
    cut: bool
    reason: str = ""

    @property
    def address(self) -> str:
        """The audio as a ``data:`` address."""
        return f"data:audio/flac;base64,{base64.b64encode(self.audio).decode('ascii')}"


def clips_of(
    utterances: Iterable[str],
    corpus: Corpus,
    *,
    sampling_rate_hz: int = 16_000,
    longest_s: float = LONGEST_S,
    largest_bytes: int = LARGEST_BYTES,
) -> Mapping[str, Clip]:
    """Return an excerpt of every recording, by utterance; a recording that cannot be read has its reason instead.

    Args:
        utterances: ids; one that comes twice counts twice in the size, as it does on a page.
        corpus: where the recordings are.
        sampling_rate_hz: what they are resampled to, that of the model, so that one hears what it heard.
        longest_s: of one excerpt.
        largest_bytes: of all together; when they are larger, all excerpts are made shorter alike.
    """
    if longest_s <= 0 or largest_bytes <= 0:
        raise InputError(f"expected a length and a size above 0, got {longest_s} s and {largest_bytes} bytes")
    wanted = list(utterances)
    clips = {name: _clip(name, corpus, sampling_rate_hz, longest_s) for name in dict.fromkeys(wanted)}
    size = sum(len(clips[name].audio) for name in wanted)
    if size <= largest_bytes:
        return clips
    # Long excerpts are cut to one length, shorter until all fit. In less than half a second nobody hears a voice.
    shorter_s = max(clip.seconds for clip in clips.values()) * max(0.5, 0.95 * largest_bytes / size)
    if shorter_s < 0.5:
        return {name: Clip(b"", 0.0, True, "left out to keep the page small") for name in clips}
    return clips_of(wanted, corpus, sampling_rate_hz=sampling_rate_hz, longest_s=shorter_s, largest_bytes=largest_bytes)


def _clip(name: str, corpus: Corpus, sampling_rate_hz: int, longest_s: float) -> Clip:
    import soundfile

    utterance = corpus[name]
    path = corpus.path_of(utterance)
    try:
        whole_s = utterance.segment_s
        if whole_s is None:
            whole_s = read_audio_info(path).duration_s - utterance.start_s
        cut = whole_s > longest_s
        # Up to the end where it is near: the length in a header is rounded.
        duration_s = longest_s if cut else utterance.segment_s
        excerpt = read_audio(path, sampling_rate_hz=sampling_rate_hz, start_s=utterance.start_s, duration_s=duration_s)
    except AudioError as error:
        return Clip(b"", 0.0, False, str(error))
    file = io.BytesIO()
    soundfile.write(file, excerpt, sampling_rate_hz, format="FLAC", subtype="PCM_16")
    return Clip(file.getvalue(), len(excerpt) / sampling_rate_hz, cut)
