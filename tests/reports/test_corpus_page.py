"""The page of a corpus: every problem with its number, nothing fetched, names that could be markup escaped."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile
from page_reading import Page, require_ids_that_resolve, require_nothing_from_outside

from curvox.diagnosis import CorpusExamination, examine_corpus
from curvox.reports import render_corpus_page
from curvox.reports.pages.corpus import MOST_SHOWN
from curvox.testing.dummies import speech_like


@pytest.fixture(scope="module")
def examination(tmp_path_factory: pytest.TempPathFactory) -> CorpusExamination:
    folder = tmp_path_factory.mktemp("corpus")
    lines = ["utterance\tpath\tspeaker\tsplit"]
    for number in range(6):
        soundfile.write(folder / f"{number}.wav", speech_like("a", str(number)), 16000)
        lines.append(f"u{number}\t{number}.wav\t<b>{number % 3}\t<i>{'ab'[number % 3 == 0]}")
    soundfile.write(folder / "loud.wav", np.clip(9 * speech_like("a", "x"), -1, 1), 8000)
    lines.append("loud\tloud.wav\t<b>1\t<i>a")
    lines += [f"none{number}\tnone{number}.wav\t<b>1\t<i>a" for number in range(MOST_SHOWN + 7)]
    (folder / "manifest.tsv").write_text("\n".join(lines) + "\n")
    return examine_corpus(folder, threads=1)


@pytest.fixture(scope="module")
def html(examination: CorpusExamination) -> str:
    return render_corpus_page(examination, name="<script>x</script>", command="curvox data check x")


def test_corpus_page__needs_nothing_else(html: str) -> None:
    require_nothing_from_outside(html)
    require_ids_that_resolve(html)
    page = Page(html)
    assert "<script>x</script>" in page.text
    assert "script" not in page.tags
    assert set(page.values("href")) <= {f"#{name}" for name in page.values("id")}


def test_corpus_page__shows_every_kind_with_its_number(html: str) -> None:
    text = Page(html).text
    assert f"{MOST_SHOWN + 7} errors, 1 warning, 1 note" in text
    assert f'no recording at "none{MOST_SHOWN - 1}.wav"' in text
    assert f'no recording at "none{MOST_SHOWN}.wav"' not in text
    assert "And 7 more" in text
    for title in ("Clipped recordings", "Several sampling rates", "Durations", "Levels", "Silence", "Clipping"):
        assert title in text
    assert "8 kHz" in text


def test_corpus_page__without_audio_says_so(examination: CorpusExamination) -> None:
    page = render_corpus_page(examine_corpus(examination.report.path, audio=False), name="x")
    assert "No recording was opened" in page
    assert "Utterances of each speaker" in page
    assert "Silence</h3>" not in page
