"""The benchmark of losses that others wrote, made tiny: every loss and every fault is built, a few are trained."""

from __future__ import annotations

import functools
import json
import math
import warnings
from dataclasses import asdict

import pytest
import torch
from mutants import counting
from mutants.asking import Outcome, Verdict, verdict_of
from mutants.operators import OPERATORS, PLANNED, left_out, sound_subject
from mutants.remedies import REMEDIES, remedied
from mutants.sound import FAMILIES, SOUND
from mutants.training import Subject, train, value_of
from mutants.voices import Voices

from curvox.diagnosis import CAUSES, SIGNATURES, diagnose_run

CLASSES, DIM = 10, 12


@functools.cache
def voices() -> Voices:
    """Speakers of 10 recordings each, three of 20 features tell them apart, beside 17 loud ones that do not."""
    random = torch.Generator().manual_seed(5)

    def draw(speakers: int) -> tuple[torch.Tensor, torch.Tensor]:
        y = torch.arange(speakers).repeat_interleave(10)
        means = torch.randn(speakers, 20, generator=random) * (torch.arange(20) < 3)
        noise = torch.randn(len(y), 20, generator=random) * torch.where(torch.arange(20) < 3, 0.2, 1.5)
        return means[y] + noise, y

    (x, y), (dev, dev_y) = draw(CLASSES), draw(6)
    return Voices("made up", x, y, torch.zeros_like(y), dev, dev_y, torch.zeros_like(dev_y))


def asked(subject: Subject) -> tuple[float, torch.Tensor | None]:
    """Value and gradient on one batch in no order."""
    torch.manual_seed(0)
    y = torch.arange(CLASSES).repeat_interleave(4)[torch.randperm(4 * CLASSES)]
    z = (torch.randn(len(y), DIM) + 0.7 * torch.randn(CLASSES, DIM)[y]).requires_grad_()
    value = value_of(subject.make(DIM, CLASSES), subject.takes, z, y, torch.Generator().manual_seed(0))
    if value.requires_grad:
        value.backward()
    return float(value.detach()), z.grad


@pytest.mark.parametrize("family", FAMILIES)
def test_sound__every_loss_of_the_family_has_a_finite_value_and_a_gradient(family: str) -> None:
    own = [sound for sound in SOUND.values() if sound.family == family]
    assert own
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for sound in own:
            assert sound.takes in SIGNATURES
            value, gradient = asked(sound_subject(sound))
            assert math.isfinite(value), sound.name
            assert gradient is not None, sound.name
            assert bool(torch.isfinite(gradient).all()), sound.name
            assert bool(gradient.any()), sound.name


def test_sound__has_at_least_25_written_afresh_and_four_sources() -> None:
    sources = [sound.source for sound in SOUND.values()]
    assert sources.count("plain") >= 25
    assert set(sources) == {"plain", "pml", "torch.nn", "curvox"}


@pytest.mark.parametrize("name", OPERATORS)
def test_operator__changes_what_the_loss_does(name: str) -> None:
    operator = OPERATORS[name]
    assert operator.causes <= {*CAUSES, *PLANNED}
    sound = next(sound for sound in SOUND.values() if operator.chosen(sound))
    subject, plain = operator.apply(sound), sound_subject(sound)
    if operator.run_only:
        assert (subject.encoder, subject.rate, subject.clip) != (plain.encoder, plain.rate, plain.clip)
        return
    if name.startswith("centres_"):
        loss = subject.make(DIM, CLASSES)
        assert isinstance(loss, torch.nn.Module)
        assert not any(parameter.requires_grad for parameter in loss.parameters() if parameter.ndim > 1)
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        (value, gradient), (as_it_was, before) = asked(subject), asked(plain)
    assert before is not None
    if gradient is None:
        assert name == "embeddings_detached"
    elif name == "criterion_log_twice":  # the logarithm of a softmax is its own: equivalent by construction
        assert value == pytest.approx(as_it_was)
    elif name not in ("never_updated", "acos_at_one"):  # seen after a step, and with an embedding on its centre
        alike = torch.allclose(gradient, before, rtol=1e-4, equal_nan=True)
        assert value != pytest.approx(as_it_was, rel=1e-6) or not alike


def test_train__a_sound_loss_tells_speakers_apart__its_sign_turned_does_not() -> None:
    sound = SOUND["plain/supervised contrastive"]
    trained = train(sound_subject(sound), voices(), 1, steps=60, shape=(8, 4), dim=DIM, observe=True)
    turned = train(OPERATORS["sign_turned"].apply(sound), voices(), 1, steps=60, shape=(8, 4), dim=DIM)
    assert trained.eer < 0.2 < turned.eer
    assert trained.observation is not None
    assert trained.observation.missing == {}
    assert verdict_of(diagnose_run(trained.observation)).severity != "failure"


def test_train__a_root_at_zero_ends_it__and_the_doctor_is_shown_where() -> None:
    mutant = OPERATORS["sqrt_at_zero"].apply(SOUND["plain/batch hard"])
    trained = train(mutant, voices(), 1, steps=5, shape=(8, 4), dim=DIM, observe=True)
    assert trained.died.startswith("not finite")
    assert trained.observation is not None
    assert trained.observation.death is not None


def test_remedy__turns_the_label_that_was_turned() -> None:
    sound, operator = SOUND["plain/contrastive"], OPERATORS["labels_inverted"]
    mended = remedied(sound, operator, "wrong_direction", None)
    assert mended is not None
    assert asked(mended)[0] == pytest.approx(asked(sound_subject(sound))[0])
    assert asked(operator.apply(sound))[0] != pytest.approx(asked(mended)[0])
    assert set(REMEDIES) <= set(CAUSES)
    assert remedied(sound, operator, "healthy", None) is None


def outcome(operator: str, *eers: float, first: str = "healthy", severity: str = "healthy") -> Outcome:
    """One about the contrastive loss."""
    verdict = Verdict(first, severity)
    return Outcome("plain/contrastive", operator, eers, "", (verdict,), (verdict,))


def test_counting__a_mutant_as_good_as_its_loss_does_not_count() -> None:
    outcomes = [
        outcome("", 0.10, 0.11, 0.12),
        outcome("labels_inverted", 0.12),
        outcome("sign_turned", 0.15, first="wrong_direction", severity="failure"),
        outcome("only_pulls", 0.45),
    ]
    results = counting.results_of(outcomes, 0.25)
    assert [results.counts(o) for o in results.mutants] == [False, True, True]
    assert [results.useless(o) for o in results.mutants] == [False, False, True]
    rows = {row[0]: row[-1] for row in counting.shares(results, "run")}
    assert rows["right first cause"].endswith("1 of 2")
    assert rows['"healthy" of a useless mutant'].endswith("1 of 1")
    assert rows["failure in a sound loss"].endswith("0 of 1")


def test_counting__nothing_that_was_made_of_a_loss_that_does_not_train_counts() -> None:
    results = counting.results_of([outcome("", 0.24, 0.26), outcome("only_pulls", 0.5)], 0.25)
    assert (len(results.sound), len(results.unsound), len(results.mutants)) == (0, 1, 0)


def test_split__families_and_operators_lie_on_both_sides() -> None:
    for names in (FAMILIES, tuple(OPERATORS)):
        share = sum(map(left_out, names)) / len(names)
        assert 0.2 < share < 0.6


def test_outcome__comes_back_from_json() -> None:
    before = outcome("sign_turned", 0.1, 0.2, first="collapse", severity="failure")
    assert Outcome.read(json.loads(json.dumps(asdict(before)))) == before
