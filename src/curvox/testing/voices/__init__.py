"""Synthetic voices: a corpus with a known tree, spoken by espeak-ng (``pip install 'curvox[demo]'``)."""

from curvox.testing.voices.corpus import Progress, synthesise_corpus
from curvox.testing.voices.voice import ACCENTS, GENDERS, Accent

__all__ = ["ACCENTS", "GENDERS", "Accent", "Progress", "synthesise_corpus"]
