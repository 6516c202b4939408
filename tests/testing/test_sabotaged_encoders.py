"""Each sabotaged encoder does what it is called."""

from __future__ import annotations

import pytest
import torch
from builders import draw_speakers
from sabotage import Corpora, case_of
from sabotage.layers import Chaos, Constant, GradientTimes, Hubs, NearRim, Noise, Steps

from curvox.geometry import PoincareBall

SPEAKERS = torch.arange(8).repeat_interleave(2)


def test_encoder_layers__keep_the_value_and_change_the_gradient() -> None:
    x = draw_speakers().requires_grad_(True)
    layer = GradientTimes(1e-7)
    y = layer(x)
    torch.testing.assert_close(y, x, rtol=0, atol=0)
    (slope,) = torch.autograd.grad(y.sum(), x)
    torch.testing.assert_close(slope, torch.full_like(x, 1e-7))


def test_spikes__come_in_every_eighth_step_and_only_in_training() -> None:
    layer, x = GradientTimes(1e4, every=8), torch.ones(1, requires_grad=True)
    slopes = [float(torch.autograd.grad(layer(x).sum(), x)[0]) for _ in range(16)]
    assert [i for i, slope in enumerate(slopes, start=1) if slope > 1] == [8, 16]


def test_rounding__has_no_gradient() -> None:
    x = draw_speakers().requires_grad_(True)
    (slope,) = torch.autograd.grad(Steps(4.0)(x).sum(), x)
    assert not slope.any()


def test_recurrent_layer__multiplies_the_gradient() -> None:
    torch.manual_seed(0)
    x = draw_speakers().requires_grad_(True)
    (slope,) = torch.autograd.grad(Chaos(16, turns=40, gain=2.5)(x).square().sum(), x)
    assert slope.norm() > 1e3


def test_constant__is_one_point_for_all() -> None:
    assert Constant(16)(draw_speakers()).unique(dim=0).shape[0] == 1


def test_noise__is_of_the_embedding_and_makes_all_distances_alike() -> None:
    layer = Noise(1024, 1.0)
    noisy = layer(draw_speakers())
    torch.testing.assert_close(noisy, layer(draw_speakers()), rtol=0, atol=0)
    far = torch.cdist(noisy, noisy)[~torch.eye(16, dtype=torch.bool)]
    assert far.std() / far.mean() < 0.05


def test_hubs__are_nearer_to_all_than_the_others_are() -> None:
    chance = torch.Generator().manual_seed(1)
    points = torch.randn(400, 64, generator=chance)
    changed = Hubs(0.1, 0.1)(points)
    short = changed.norm(dim=1) < 0.5 * points.norm(dim=1)
    assert 0.03 < float(short.float().mean()) < 0.2
    distance = torch.cdist(changed, changed).fill_diagonal_(torch.inf)
    assert float(short[distance.topk(5, largest=False).indices].float().mean()) > 0.95


def test_near_rim__distances_in_single_precision_are_off() -> None:
    ball, raw = PoincareBall(lift=NearRim(3e-7)), draw_speakers()
    x, y = raw[:8], raw[8:]
    single = ball.distance(ball.project(x), ball.project(y)).double()
    double = ball.distance(ball.project(x.double()), ball.project(y.double()))
    assert float((single - double).abs().max()) > 0.05


@pytest.mark.parametrize("case", ["all but the last/voices/1", "blocks/openvoices/2"])
def test_frozen__only_the_rest_requires_a_gradient(case: str) -> None:
    corpora = Corpora({name: {"path": "."} for name in ("voices", "openvoices")})
    chosen = case_of(f"frozen_parameters/{case}")
    embedder, _ = chosen.build(chosen.recipe(corpora), 8)
    held = {name.split(".")[0] for name, p in embedder.encoder.named_parameters() if not p.requires_grad}
    assert {"entry", "blocks"} <= held
    assert any(p.requires_grad for p in embedder.encoder.parameters())


def test_idle_layers__get_no_gradient() -> None:
    corpora = Corpora({"voices": {"path": "."}})
    case = case_of("unused_parameters/a head/voices/1")
    embedder, loss = case.build(case.recipe(corpora), 8)
    loss(embedder.encoder(torch.randn(16, 20, 40)), SPEAKERS).value.backward()
    without = {name.split(".")[0] for name, p in embedder.encoder.named_parameters() if p.grad is None}
    assert without == {"head"}
