"""One training step of every loss in every space and of every encoder, from fixed seeds: for `same_results.py`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from curvox.encoders import ENCODERS
from curvox.losses import LOSSES, create_loss

DIM, SPEAKERS, ITEMS = 12, 8, 24
N_MELS, FRAMES = 24, 40

SPACES: dict[str, Any] = {
    "its own space": None,
    "euclidean": {"name": "euclidean"},
    "hypersphere": {"name": "hypersphere"},
    "ball": {"name": "poincare_ball"},
    "ball, soft clip, c = 2": {"name": "poincare_ball", "c": 2.0, "lift": {"name": "soft_clip"}},
    "ball, exp map": {"name": "poincare_ball", "lift": {"name": "exp_map"}},
    "ball, published": {"name": "poincare_ball", "lift": {"name": "published", "curvature": 3.0}},
    "ball, learnt c": {"name": "poincare_ball", "lift": {"name": "soft_clip"}, "learn_c": True},
}

_ANGULAR = ("am_softmax", "aam_softmax", "ram_softmax")
_MINING = ("all", "hardest", "semi_hard", "distance_weighted")
OPTIONS: dict[str, list[Mapping[str, Any]]] = {
    **{name: [{"sub_centres": 3}, {"top_k": 1}, {"learn_scale": True}] for name in _ANGULAR},
    "ham_softmax": [{"centres": "riemannian"}, {"margin": 0.3, "scale": 10.0}, {"centre_std": 0.001}],
    "h_softmax": [{"centre_std": 0.001}],
    "level_prototypes": [
        {"levels": ["language", "gender"]},
        {"levels": ["language", "gender"], "margin": 0.2, "level_weights": [1.0, 0.25]},
        {"levels": ["gender"], "space": {"name": "hypersphere"}},
    ],
    "combined": [
        {
            "parts": [
                {"name": "ham_softmax", "weight": 1.0},
                {"name": "level_prototypes", "weight": 0.1, "levels": ["language"]},
            ]
        },
        {"parts": [{"name": "softmax", "weight": 2.0}, {"name": "triplet", "weight": 0.5}], "space_of": "softmax"},
    ],
    "gaussian_kl": [{"learn_variance": True, "margin": 0.5}],
    "triplet": [{"mining": mining} for mining in _MINING],
    "contrastive_hinge": [{"mining": mining} for mining in _MINING],
    "metric_learning": [{"loss": "ContrastiveLoss"}, {"loss": "ArcFaceLoss"}, {"miner": "BatchHardMiner"}],
}
"""Options that change what a loss does, beside none, by its name in the table."""

SMALL: dict[str, dict[str, Any]] = {
    "ecapa_tdnn": {"channels": 16, "aggregation_channels": 24},
    "resnet34": {"channels": 4},
    "x_vector_tdnn": {"channels": 12, "pooling_channels": 20},
    "cam_plus_plus": {"front_channels": 4, "channels": 8, "growth": 4, "bottleneck": 8},
    "redimnet2": {"size": "B0"},
}
TREE = {
    "language": [speaker % 2 for speaker in range(SPEAKERS)],
    "gender": [-1 if speaker % 5 == 2 else speaker // 2 % 2 for speaker in range(SPEAKERS)],
}


def loss_steps() -> dict[str, Any]:
    """Take a step with every loss: without options in every space, with options in its own."""
    found = {}
    for name in LOSSES:
        for space, description in SPACES.items():
            options = {} if description is None else {"space": description}
            found[f"{name}, {space}"] = _loss_step({"name": name, **options})
        for options in OPTIONS.get(name, []):
            found[f"{name}, {dict(options)}"] = _loss_step({"name": name, **options})
    return found


def _loss_step(description: dict[str, Any]) -> Any:
    """Two steps of SGD on the loss's own weights and the embeddings; a refusal is told by the name of its exception."""
    torch.manual_seed(11)
    try:
        loss = create_loss(
            description, dim=DIM, speakers=SPEAKERS, tree=TREE if "'levels'" in str(description) else None
        )
    except Exception as error:
        return {"refused": type(error).__name__}
    embeddings = (0.7 * torch.randn(ITEMS, DIM)).requires_grad_()
    speakers = torch.arange(ITEMS) % SPEAKERS
    speakers[-3:] = speakers[0]
    weights = {"embeddings": embeddings, **dict(loss.named_parameters())}
    optimiser = torch.optim.SGD(weights.values(), lr=0.05)
    steps = []
    for margin_scale in (1.0, 0.5):
        torch.manual_seed(12)
        loss.set_margin_scale(margin_scale)
        optimiser.zero_grad()
        output = loss(embeddings, speakers)
        output.value.backward()
        steps.append(
            {
                "value": output.value.item(),
                "per_item": _array(output.per_item),
                "parts": {name: float(part) for name, part in output.parts.items()},
                "gradients": {name: _array(weight.grad) for name, weight in weights.items()},
            }
        )
        optimiser.step()
    x, y = loss.space.project(embeddings.detach()).split(ITEMS // 2)
    return {
        "space": loss.space.describe(),
        "steps": steps,
        "state": {name: _array(tensor) for name, tensor in loss.state_dict().items()},
        "distance": _array(loss.space.distance(x, y)),
        "pairwise_distance": _array(loss.space.pairwise_distance(x, y)),
        "mean": _array(loss.space.mean(x)),
    }


def encoder_steps() -> dict[str, Any]:
    """Take a training step with a small encoder of every kind, on padded features, and embed afterwards."""
    return {name: _encoder_step(name) for name in ENCODERS}


def _encoder_step(name: str) -> Any:
    torch.manual_seed(21)
    encoder = ENCODERS.load(name)(n_mels=N_MELS, embedding_dim=10, **SMALL[name])
    features, lengths = torch.randn(6, FRAMES, N_MELS), torch.tensor([40, 40, 38, 31, 25, 40])
    optimiser = torch.optim.SGD(encoder.parameters(), lr=0.01)
    output = encoder.train()(features, lengths)
    value = (output * torch.randn_like(output)).sum()
    value.backward()
    gradients = {key: _array(weight.grad) for key, weight in encoder.named_parameters()}
    optimiser.step()
    with torch.no_grad():
        after = encoder.eval()(features, lengths)
    return {
        "embedding_dim": encoder.embedding_dim,
        "minimum_frames": encoder.minimum_frames,
        "value": value.item(),
        "output": _array(output),
        "gradients": gradients,
        "after": _array(after),
        "state": {key: _array(tensor) for key, tensor in encoder.state_dict().items()},
    }


def _array(tensor: torch.Tensor | None) -> Any:
    return None if tensor is None else tensor.detach().numpy()
