"""``curvox cite``: the papers of everything that a recipe uses, and of nothing else."""

from __future__ import annotations

import inspect
import re
import shutil
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from tiny_decisions import drawn_card

from curvox.cli.cite import cite
from curvox.embedder import CardSettings, model_fingerprint, write_card
from curvox.errors import InputError, UnknownNameError
from curvox.evaluating import EvaluationReport, ScoringFacts, TrialFacts
from curvox.losses import LOSSES
from curvox.metrics import evaluate
from curvox.records import to_json
from curvox.reports import BIBTEX
from curvox.reports.cited import OF_OPTIONS, OF_STAGES
from curvox.training.data.augmenting import Augmentation

Cited = Callable[..., list[str]]
ENCODER = "desplanques2020ecapa"


@pytest.fixture
def cited(tmp_path: Path, repository: Path, capsys: pytest.CaptureFixture[str]) -> Cited:
    """The keys that are printed for a recipe with this loss, these keys of ``data`` and these stages."""
    tree = yaml.safe_load((repository / "recipes" / "openvoices_ham.yaml").read_text(encoding="utf-8"))

    def keys(loss: dict[str, Any], data: dict[str, Any] | None = None, **augmentation: Any) -> list[str]:
        recipe = tmp_path / "recipe.yaml"
        changed = {**tree, "data": {**tree["data"], **(data or {})}, "loss": loss, "augmentation": augmentation}
        recipe.write_text(yaml.safe_dump(changed), encoding="utf-8")
        cite(recipe)
        return re.findall(r"^@\w+\{(\w+),", capsys.readouterr().out, flags=re.MULTILINE)

    return keys


@pytest.mark.parametrize(
    ("loss", "papers"),
    [
        ({"name": "am_softmax"}, ["wang2018amsoftmax"]),
        ({"name": "am_softmax", "sub_centres": 1, "top_k": 0}, ["wang2018amsoftmax"]),
        ({"name": "aam_softmax", "sub_centres": 3}, ["deng2019arcface", "deng2020subcenter"]),
        ({"name": "aam_softmax", "top_k": 5}, ["deng2019arcface", "zhao2022intertopk"]),
        ({"name": "h_softmax", "centres": "plain"}, ["fang2026ham"]),
        ({"name": "h_softmax", "centres": "riemannian"}, ["fang2026ham", "becigneul2019riemannian"]),
        ({"name": "triplet", "mining": "hardest"}, ["schroff2015facenet"]),
        ({"name": "triplet", "mining": "distance_weighted"}, ["schroff2015facenet", "wu2017sampling"]),
        (
            {"name": "ham_softmax", "space": {"name": "poincare_ball", "lift": {"name": "exp_map"}}},
            ["fang2026ham", "nickel2017poincare", "desai2023meru"],
        ),
    ],
)
def test_cite__names_the_loss_and_the_methods_among_its_options(
    loss: dict[str, Any], papers: list[str], cited: Cited
) -> None:
    assert cited(loss) == [ENCODER, *papers]


def test_cite__reads_the_options_of_every_part_and_names_each_paper_once(cited: Cited) -> None:
    parts = [
        {"name": "am_softmax", "weight": 1.0, "sub_centres": 3},
        {"name": "aam_softmax", "weight": 1.0, "sub_centres": 2, "top_k": 1},
    ]
    combined, am, aam = (LOSSES[name].paper for name in ("combined", "am_softmax", "aam_softmax"))
    assert cited({"name": "combined", "parts": parts}) == [
        *(ENCODER, combined, am, "deng2020subcenter"),
        *(aam, "zhao2022intertopk"),
    ]


@pytest.mark.parametrize(
    ("stages", "papers"),
    [
        ({"features": {}}, ["park2019specaugment"]),
        ({"rooms": {"path": "RIRS_NOISES"}}, ["ko2017reverberant"]),
        ({"rooms": {}}, ["ko2017reverberant", "allen1979image", "scheibler2018pyroomacoustics"]),
        (
            {"recorded_noise": {"path": "musan"}, "waveforms": {}, "beside_clean": True},
            ["snyder2018xvectors", "snyder2015musan"],
        ),
        ({"telephone": {}, "codecs": {}, "clipping": {}, "rooms": None}, []),
        ({"data": {"speeds": [1.0, 0.9]}}, ["ko2015audio", "yamamoto2019speaker"]),
        ({"data": {"speeds": [1.0]}}, []),
    ],
)
def test_cite__names_what_changes_the_recordings(stages: dict[str, Any], papers: list[str], cited: Cited) -> None:
    assert cited({"name": "am_softmax"}, **stages) == [ENCODER, "wang2018amsoftmax", *papers]


def test_stages_with_papers__are_those_of_augmentation() -> None:
    assert set(OF_STAGES) == {field.name for field in fields(Augmentation)} - {"beside_clean"}
    assert {paper for papers in OF_STAGES.values() for paper in papers} <= set(BIBTEX)


@pytest.fixture
def run_of_a_recipe(tmp_path: Path, repository: Path) -> Path:
    """A run without a model: its recipe alone."""
    (tmp_path / "run" / "eval").mkdir(parents=True)
    shutil.copy(repository / "recipes" / "openvoices_ham.yaml", tmp_path / "run" / "recipe.yaml")
    return tmp_path / "run"


def printed_keys(run: Path, capsys: pytest.CaptureFixture[str]) -> set[str]:
    cite(run)
    return set(re.findall(r"^@\w+\{(\w+),", capsys.readouterr().out, flags=re.MULTILINE))


@pytest.mark.parametrize(
    ("back_end", "enrolment", "llrs", "resamples", "papers"),
    [
        ("plain", "", False, 0, {"martin1997det"}),
        ("as_norm", "", False, 5, {"martin1997det", "matejka2017asnorm", "bisani2004bootstrap"}),
        ("s_norm", "einstein_midpoint", False, 0, {"martin1997det", "kenny2010snorm", "law2019lorentz"}),
        ("plda", "score_mean", True, 0, {"martin1997det", "brummer2010partitioning", "brummer2006evaluation"}),
        ("plain", "frechet_mean", False, 0, {"martin1997det", "karcher1977mean", "afsari2011mean", "lou2020frechet"}),
    ],
)
def test_cite__of_a_run_names_how_its_evaluations_were_made(
    back_end: str,
    enrolment: str,
    llrs: bool,
    resamples: int,
    papers: set[str],
    run_of_a_recipe: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    trained = printed_keys(run_of_a_recipe, capsys)
    speakers = [1, 1, 2, 2], [1, 2, 2, 1]
    evaluation = evaluate(
        [2.0, 1.0, 1.5, 0.0],
        [1, 0, 1, 0],
        enrolment_speakers=speakers[0],
        test_speakers=speakers[1],
        llrs=llrs,
        resamples=resamples,
    )
    scoring = ScoringFacts("run", "HAM-Softmax", "cosine", back_end, {"enrolment": enrolment} if enrolment else {})
    report = EvaluationReport(scoring, TrialFacts("test.txt"), evaluation)
    (run_of_a_recipe / "eval" / "test").mkdir()
    path = run_of_a_recipe / "eval" / "test" / "evaluation.json"
    path.write_text(to_json(report.to_dict()), encoding="utf-8")
    assert printed_keys(run_of_a_recipe, capsys) - trained == papers
    path.write_text("{", encoding="utf-8")
    with pytest.raises(InputError, match=r"evaluation\.json cannot be read"):
        cite(run_of_a_recipe)


def test_cite__of_a_run_names_the_calibration_of_its_card(
    run_of_a_recipe: Path, tiny_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trained = printed_keys(run_of_a_recipe, capsys)
    shutil.copytree(tiny_run / "best", run_of_a_recipe / "best")
    card = drawn_card(settings=CardSettings(kind="isotonic", resamples=2)).card
    write_card(run_of_a_recipe / "best", replace(card, model=model_fingerprint(run_of_a_recipe / "best")))
    assert printed_keys(run_of_a_recipe, capsys) - trained == {"zadrozny2002calibration"}


def test_cite__refuses_a_loss_that_is_none(cited: Cited) -> None:
    with pytest.raises(UnknownNameError, match="am_softmax"):
        cited({"name": "am_sofmax"})


def test_options_with_a_paper__are_arguments_of_losses_that_do_not_use_it_by_default() -> None:
    defaults: dict[str, set[Any]] = {}
    for name in LOSSES:
        for key, parameter in inspect.signature(LOSSES.load(name)).parameters.items():
            if key in {key for key, _, _ in OF_OPTIONS}:
                defaults.setdefault(key, set()).add(parameter.default)
    for key, uses, paper in OF_OPTIONS:
        assert paper in BIBTEX
        assert not any(uses(default) for default in defaults[key]), key


def test_cite__names_what_a_recipe_of_the_literature_trains_with(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = repository / "recipes" / "voxceleb2"
    found = []
    for name in ("ecapa_512_ram_ham", "ecapa_1024_sgd"):
        cite(folder / f"{name}.yaml")
        found.append(set(re.findall(r"^@\w+\{(\w+),", capsys.readouterr().out, flags=re.MULTILINE)))
    assert {ENCODER, "li2022ram", "fang2026ham", "izmailov2018averaging"} <= found[0]
    assert "wang2023wespeaker" not in found[0]
    assert {ENCODER, "deng2019arcface", "izmailov2018averaging", "wang2023wespeaker"} <= found[1]
