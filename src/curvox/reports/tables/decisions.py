"""Decision cards, verifications and identifications as text for the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table

    from curvox.embedder import CalibratedScoring, DecisionCard, Identification, Range, Verification
    from curvox.metrics import Interval
    from curvox.scoring import NamedThreshold

CANDIDATES_SHOWN = 10


def decision_card_text(calibrated: CalibratedScoring) -> Group:
    """Render a decision card: on what it was fitted, what calibration gained, thresholds, and what was seen."""
    from rich.console import Group

    card = calibrated.card
    fitted = card.fitted_on
    # PLDA promises likelihood ratios; no other back end does.
    promise = "as which PLDA gives them" if card.back_end["name"] == "plda" else "which they are not"
    values = (
        (f"raw scores, read as likelihood ratios, {promise}", card.cllr_before),
        ("calibrated", card.cllr_after),
        ("the least that any calibration could reach on these trials", card.min_cllr),
    )
    return Group(
        f"[bold]{calibrated.calibration.describe()['name']} calibration of {calibrated.name} scores[/], fitted on "
        f"{fitted.trials} of {fitted.corpus}: {fitted.speakers} speakers, {fitted.targets:,} same-speaker and "
        f"{fitted.non_targets:,} different-speaker trials",
        f"checked on speakers it had not met, in {fitted.folds} folds: EER {100 * card.eer:.2f} %, Cllr in bits "
        "(saying nothing costs 1):",
        *(f"  {value:6.3f}  {words}" for words, value in values),
        _thresholds(card),
        _seen(card),
        *(f"[yellow]warning:[/] {warning}" for warning in card.warnings),
    )


def verification_text(answer: Verification) -> str:
    """Return score, likelihood ratio, posterior, decision and warnings in lines."""
    lines = [f"score      {answer.score:.4f} ({answer.scoring}, larger for the same speaker)"]
    if answer.llr is None or answer.point is None or answer.posterior is None or answer.prior is None:
        lines.append(f"undecided  {answer.undecided}")
    else:
        sign = "≥" if answer.same else "<"
        lines += [
            f"LLR        {answer.llr:+.2f} (natural log; above 0 speaks for the same speaker)",
            f"posterior  {_percent(answer.posterior)} same speaker, at the prior {answer.prior:g}",
            f"decision   {'SAME SPEAKER' if answer.same else 'DIFFERENT SPEAKERS'}: LLR {sign} "
            f"{answer.point.llr_threshold:.2f}, the threshold of {answer.point.name} ({answer.point.meaning})",
        ]
        if answer.point.measured is not None:
            lines.append(f"           measured there on the card's trials: {_rates(answer.point.measured)}")
    return "\n".join([*lines, *_warnings(answer.warnings)])


def identification_text(answer: Identification) -> str:
    """Return the answer, its threshold and the candidates in lines."""
    if answer.threshold is None:
        lines = [f"undecided  {answer.undecided}"]
    else:
        threshold = answer.threshold
        lines = [
            f"answer     {'NONE OF THEM' if answer.answer is None else answer.answer}",
            f"threshold  LLR ≥ {threshold.llr:.2f}: at most {_percent(threshold.false_alarm_rate)} false alarms, where "
            f"{threshold.enrolled} are enrolled, {'measured' if threshold.measured else 'by the bound, not measured'}",
        ]
    for rank, one in enumerate(answer.candidates[:CANDIDATES_SHOWN], start=1):
        ratio = "" if one.llr is None else f"LLR {one.llr:+7.2f}  "
        lines.append(f"{rank:3}. {ratio}score {one.score:8.4f}  {one.speaker}")
    if len(answer.candidates) > CANDIDATES_SHOWN:
        lines.append(f"     and {len(answer.candidates) - CANDIDATES_SHOWN} more")
    return "\n".join([*lines, *_warnings(answer.warnings)])


def _warnings(warnings: tuple[str, ...]) -> list[str]:
    return [f"warning    {warning}" for warning in warnings]


def _thresholds(card: DecisionCard) -> Table:
    from rich.table import Table

    table = Table("threshold", title="Thresholds, with 95 % intervals over speakers", title_justify="left")
    for column in ("LLR at least", "false acceptances, %", "false rejections, %"):
        table.add_column(column, justify="right")
    for one in card.thresholds:
        table.add_row(
            f"{one.name}{' *' if one.too_small else ''}",
            f"{one.llr_threshold:.2f}",
            _rate(one.measured_far, one.far_interval),
            _rate(one.measured_frr, one.frr_interval),
        )
    if any(one.too_small for one in card.thresholds):
        table.caption = "* rests on fewer than 30 errors of a kind"
        table.caption_justify = "left"
    return table


def _seen(card: DecisionCard) -> str:
    seen = card.seen
    parts = [
        f"{_between(seen.duration_s)} s long",
        f"with {_between(seen.speech_s)} s of speech",
        f"bandwidth {_between(seen.bandwidth_hz, 1e-3)} kHz",
        f"signal-to-noise ratio {_between(seen.snr_db, digits=0)} dB",
    ]
    channels = f"; channels: {', '.join(seen.channels)}" if seen.channels else ""
    return f"seen: {seen.recordings:,} recordings, 90 % of them {', '.join(parts)}{channels}"


def _between(values: Range, factor: float = 1.0, digits: int = 1) -> str:
    return f"{factor * values.low:.{digits}f} to {factor * values.high:.{digits}f}"


def _rates(threshold: NamedThreshold) -> str:
    return (
        f"{_rate(threshold.measured_far, threshold.far_interval)} % false acceptances, "
        f"{_rate(threshold.measured_frr, threshold.frr_interval)} % false rejections"
    )


def _rate(value: float, interval: Interval) -> str:
    return f"{100 * value:.2f} [{100 * interval.low:.2f}, {100 * interval.high:.2f}]"


def _percent(share: float) -> str:
    """Return a share in percent, never rounded to a certainty that it is not."""
    percent = 100 * share
    if 0 < percent < 0.01:
        return "< 0.01 %"
    return "> 99.99 %" if 99.99 < percent < 100 else f"{percent:.4g} %"
