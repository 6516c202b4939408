"""ECAPA-TDNN against a second description of it, written from the paper with plain functions."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from curvox.encoders.ecapa_tdnn import ECAPATDNN
from curvox.errors import InputError


def small() -> ECAPATDNN:
    torch.manual_seed(0)
    encoder = ECAPATDNN(n_mels=20, channels=16, aggregation_channels=24, embedding_dim=10)
    for module in encoder.modules():
        if isinstance(module, torch.nn.BatchNorm1d):
            module.running_mean = torch.randn_like(module.weight).mul_(0.3).detach()
            module.running_var = torch.rand_like(module.weight).add_(0.5).detach()
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.normal_(module.bias, std=0.3)
    return encoder.eval()


def count_by_the_paper(n_mels: int, c: int, aggregated: int, dim: int, scale: int = 8, bottleneck: int = 128) -> int:
    """Weights and biases, layer by layer; a batch normalisation has two numbers a channel."""

    def conv(inputs: int, outputs: int, kernel: int) -> int:
        return inputs * outputs * kernel + outputs

    width = c // scale
    block = (
        2 * (conv(c, c, 1) + 2 * c)
        + (scale - 1) * (conv(width, width, 3) + 2 * width)
        + conv(c, 128, 1)
        + conv(128, c, 1)
    )
    pooling = conv(3 * aggregated, bottleneck, 1) + conv(bottleneck, aggregated, 1) + 2 * 2 * aggregated
    return conv(n_mels, c, 5) + 2 * c + 3 * block + conv(3 * c, aggregated, 1) + pooling + conv(2 * aggregated, dim, 1)


@pytest.mark.parametrize(("channels", "millions"), [(512, 6.2), (1024, 14.7)])
def test_parameters__are_those_of_the_paper(channels: int, millions: float) -> None:
    with torch.device("meta"):
        encoder = ECAPATDNN(channels=channels, final_batch_norm=False)
    count = sum(p.numel() for p in encoder.parameters())
    assert count == count_by_the_paper(80, channels, 1536, 192)
    assert round(count / 1e6, 1) == millions


def test_parameters__follow_the_count_for_any_width() -> None:
    encoder = ECAPATDNN(n_mels=40, channels=24, aggregation_channels=50, embedding_dim=7, final_batch_norm=False)
    assert sum(p.numel() for p in encoder.parameters()) == count_by_the_paper(40, 24, 50, 7)


def ecapa_by_the_paper(state: dict[str, Tensor], features: Tensor, scale: int = 8) -> Tensor:
    """One utterance (T, n_mels) through the network, without lengths, batches or shortcuts."""

    def conv(x: Tensor, name: str, dilation: int = 1) -> Tensor:
        weight = state[f"{name}.weight"]
        return F.conv1d(x, weight, state[f"{name}.bias"], padding=(weight.shape[2] // 2) * dilation, dilation=dilation)

    def norm(x: Tensor, name: str) -> Tensor:
        mean, var = state[f"{name}.running_mean"], state[f"{name}.running_var"]
        shape = (1, -1, 1) if x.ndim == 3 else (1, -1)
        scaled = (x - mean.view(shape)) / torch.sqrt(var.view(shape) + 1e-5)
        return scaled * state[f"{name}.weight"].view(shape) + state[f"{name}.bias"].view(shape)

    def unit(x: Tensor, name: str, dilation: int = 1) -> Tensor:
        return norm(conv(x, f"{name}.conv", dilation).clamp(min=0), f"{name}.norm")

    def block(x: Tensor, name: str, dilation: int) -> Tensor:
        groups = unit(x, f"{name}.expand").chunk(scale, dim=1)
        outputs, before = [], None
        for i in range(scale - 1):
            before = unit(groups[i] if before is None else groups[i] + before, f"{name}.res2.groups.{i}", dilation)
            outputs.append(before)
        y = unit(torch.cat([*outputs, groups[-1]], dim=1), f"{name}.merge")
        squeezed = (y.mean(2) @ state[f"{name}.gate.squeeze.weight"].T + state[f"{name}.gate.squeeze.bias"]).clamp(
            min=0
        )
        gate = torch.sigmoid(squeezed @ state[f"{name}.gate.excite.weight"].T + state[f"{name}.gate.excite.bias"])
        return x + y * gate.unsqueeze(2)

    x = unit(features.T.unsqueeze(0), "entry")
    outputs = []
    for i, dilation in enumerate((2, 3, 4)):
        x = block(x, f"blocks.{i}", dilation)
        outputs.append(x)
    h = conv(torch.cat(outputs, dim=1), "aggregate").clamp(min=0)
    mean, deviation = h.mean(2, keepdim=True), h.var(2, keepdim=True, correction=0).clamp(min=1e-7).sqrt()
    context = torch.cat([h, mean.expand_as(h), deviation.expand_as(h)], dim=1)
    attention = torch.softmax(conv(torch.tanh(conv(context, "pool.hidden")), "pool.weigh"), dim=2)
    first = (attention * h).sum(2)
    second = ((attention * h * h).sum(2) - first**2).clamp(min=1e-7).sqrt()
    pooled = norm(torch.cat([first, second], dim=1), "pool_norm")
    return norm(pooled @ state["project.weight"].T + state["project.bias"], "final_norm")[0]


@pytest.mark.parametrize("frames", [1, 7, 60])
def test_output__is_that_of_the_plain_description(frames: int) -> None:
    encoder = small().double()
    features = torch.randn(frames, 20, dtype=torch.float64)
    expected = ecapa_by_the_paper(encoder.state_dict(), features)
    torch.testing.assert_close(encoder(features[None])[0], expected, rtol=1e-9, atol=1e-9)


def test_sizes__that_do_not_fit_are_refused() -> None:
    with pytest.raises(InputError, match="multiple of res2_scale"):
        ECAPATDNN(channels=100)
    with pytest.raises(InputError, match="embedding_dim must be a whole number of at least 1"):
        ECAPATDNN(embedding_dim=0)
