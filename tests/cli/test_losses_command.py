"""``curvox losses`` as its users run it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from curvox.losses import LOSSES, read_loss_card
from curvox.reports import paper_of

CURVOX = Path(sys.executable).with_name("curvox")


def curvox(*arguments: str, columns: int = 100) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "COLUMNS": str(columns)}
    return subprocess.run(
        [CURVOX, *arguments], capture_output=True, text=True, timeout=60, check=False, env=environment
    )


def shown(capsys: pytest.CaptureFixture, name: str | None = None) -> str:
    from curvox.cli.losses import losses

    losses(name)
    return capsys.readouterr().out


def words(text: str) -> str:
    return " ".join(text.split())


def test_losses__lists_every_entry_once_with_its_summary_and_paper() -> None:
    result = curvox("losses")
    assert result.returncode == 0, result.stderr
    lines = [line for line in result.stdout.splitlines() if line.startswith("  ")]
    assert [line.split()[0] for line in lines] == list(LOSSES)
    for line, entry in zip(lines, LOSSES.entries.values(), strict=True):
        assert entry.summary in line
        assert not entry.paper or line.endswith(paper_of(entry.paper).short)


def test_losses__groups_those_with_centres_and_those_of_pairs(capsys: pytest.CaptureFixture) -> None:
    blocks = [block.splitlines() for block in shown(capsys).split("\n\n")]
    groups = {block[0].split(":")[0]: [line.split()[0] for line in block[1:]] for block in blocks}
    assert {"softmax", "ham_softmax", "combined"} <= set(groups["Classification"])
    assert {"triplet", "ge2e", "contrastive_hinge"} <= set(groups["Pairs"])
    assert groups["Another library's"] == ["metric_learning"]


@pytest.mark.parametrize("name", LOSSES)
def test_losses__prints_the_whole_card(
    name: str, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    card = read_loss_card(LOSSES[name])
    text = shown(capsys, name)
    for line in card.formula.splitlines():
        assert f"  {line}".rstrip() in text
    for part in (card.title, *card.prose, card.published, card.when, card.what_goes_wrong):
        assert words(part).replace("`", "") in words(text)
    for argument in card.arguments:
        assert f"\n  {argument.name}" in text
    assert LOSSES[name].paper in text
    assert f"loss: {{name: {name}" in text


def test_losses__shows_a_card_that_the_class_keeps(capsys: pytest.CaptureFixture) -> None:
    text = shown(capsys, "am_softmax")
    for wanted in ("scale=30.0", "margin=0.2", "wang2018amsoftmax", "Wang et al. 2018", "What goes wrong"):
        assert wanted in text


def test_losses__folds_prose_but_no_formula_in_a_narrow_terminal() -> None:
    text = curvox("losses", "h_softmax", columns=50).stdout
    formula = read_loss_card(LOSSES["h_softmax"]).formula.splitlines()
    assert max(map(len, formula)) > 50
    assert all(f"  {line}" in text for line in formula)
    folded = [line for line in text.splitlines() if line.strip() not in formula]
    assert max(len(line) for line in folded if not line.startswith("  loss:")) <= 50


def test_losses__recipe_line_builds_the_loss(capsys: pytest.CaptureFixture) -> None:
    import yaml

    from curvox.losses import create_loss

    tree = {"language": [0, 1], "gender": [0, 1]}
    for name in ("ham_softmax", "triplet", "combined", "level_prototypes"):
        line = next(line for line in shown(capsys, name).splitlines() if line.startswith("  loss: {"))
        built = create_loss(yaml.safe_load(line)["loss"], dim=4, speakers=2, tree=tree)
        assert type(built).__name__ == LOSSES[name].attribute


def test_losses__refuses_an_unknown_name_with_the_nearest() -> None:
    result = curvox("losses", "ham_sofmax")
    assert result.returncode == 1
    assert 'unknown loss "ham_sofmax"' in result.stderr
    assert '"ham_softmax"' in result.stderr
    assert "Traceback" not in result.stderr


def test_losses__imports_no_torch_for_list_or_card() -> None:
    code = (
        "import sys\nfrom curvox.cli.losses import losses\nlosses(None)\nlosses('ham_softmax')\n"
        "print({'torch', 'matplotlib', 'geoopt', 'pytorch_metric_learning'} & set(sys.modules))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert result.stdout.splitlines()[-1] == "set()"
