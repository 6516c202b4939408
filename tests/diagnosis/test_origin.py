"""Where numbers that are not finite are born: the operation, its module, its rows, and no harmless infinity."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from builders import draw_embeddings
from torch import Tensor, nn

from curvox.diagnosis import Origin, find_origin
from curvox.errors import InputError
from curvox.losses import create_loss

OWN = torch.eye(6, dtype=torch.bool)


class Root(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.sqrt()


class Scaled(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x / x.std(1, keepdim=True)


def model(*layers: nn.Module, seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(4, 4), *layers)


def origin(run: Callable[[], Tensor], net: nn.Module, *, items: int | None = 6) -> Origin:
    found = find_origin(run, net, items=items)
    assert found is not None
    return found


@pytest.mark.parametrize("seed", range(2))
def test_origin__forward_names_operation_module_and_rows(seed: int):
    net, x = model(Root(), seed=seed), draw_embeddings(6, 4, seed=seed)
    rows = tuple((net[0](x) < 0).any(1).nonzero().flatten().tolist())
    assert origin(lambda: net(x).sum(), net) == Origin("aten.sqrt", "1", False, rows)


def test_origin__a_division_by_the_spread_of_silence_names_that_recording():
    net, x = nn.Sequential(Scaled(), model()), draw_embeddings(6, 4, seed=0)
    x[3] = 0.25
    found = origin(lambda: net(x).sum(), net)
    assert (found.operation, found.module, found.rows) == ("aten.div", "0", (3,))


def test_origin__backward_names_the_node_of_the_root():
    net, x = model(), draw_embeddings(6, 4, seed=0)

    def run() -> Tensor:
        z = net(x)
        squares = (z[:, None] - z[None]).square().sum(-1)  # zero on the diagonal, where a root has no slope
        return squares.sqrt().mean()

    found = origin(run, net)
    assert found.backward
    assert found.operation.startswith("Sqrt")
    assert found.rows == tuple(range(6))


def test_origin__backward_names_the_module_that_the_node_came_from():
    net = model(Root(), nn.Linear(4, 2))
    for parameter in net[0].parameters():
        nn.init.zeros_(parameter)  # a root of exact zeros is finite, its slope is not
    found = origin(lambda: net(draw_embeddings(6, 4, seed=0)).sum(), net)
    assert (found.backward, found.module) == (True, "1")


@pytest.mark.parametrize(
    "to_value",
    [
        lambda products: products.masked_fill(OWN, -math.inf).softmax(1).square().mean(),
        lambda products: products.masked_fill(OWN, -math.inf).logsumexp(1).mean(),
        lambda products: torch.where(OWN, torch.tensor(math.inf), products).amin(1).mean(),
        lambda products: (products + (~OWN).float().log()).softmax(1).square().mean(),
    ],
    ids=["softmax", "logsumexp", "minimum", "log_of_zero"],
)
def test_origin__an_infinity_that_comes_to_nothing_is_none(to_value: Callable[[Tensor], Tensor]):
    net, x = model(), draw_embeddings(6, 4, seed=1)
    assert find_origin(lambda: to_value(net(x) @ net(x).T), net) is None


def test_origin__a_mask_is_not_blamed_for_another_operation():
    net, x = model(), draw_embeddings(6, 4, seed=1)

    def run() -> Tensor:
        products = net(x) @ net(x).T
        return products.masked_fill(OWN, -math.inf).logsumexp(1).mean() + (1e4 * products).exp().mean()

    assert origin(run, net).operation == "aten.exp"
    # Of a softmax of nothing but a mask it is the softmax.
    assert origin(lambda: (net(x) - math.inf).softmax(1).sum(), net).operation == "aten._softmax"


def test_origin__half_precision_is_told():
    net, x = model(), draw_embeddings(6, 4, seed=0)
    found = origin(lambda: (1e6 * net(x)).half().float().sum(), net)
    assert found.half
    assert "float16" in str(found)


def test_origin__numbers_that_were_bad_before_are_given():
    net, x = model(), draw_embeddings(6, 4, seed=0)
    x[2, 1] = math.nan
    found = origin(lambda: net(x).sum(), net)
    assert (found.given, found.rows, found.module) == ("input", (2,), "0")
    nn.init.constant_(net.get_parameter("0.weight"), math.inf)
    assert origin(lambda: net(draw_embeddings(6, 4, seed=0)).sum(), net).given == "0.weight"


def test_origin__is_found_although_the_loss_refuses_the_embeddings_and_other_refusals_are_passed_on():
    net, x = model(Root()), draw_embeddings(6, 4, seed=0)
    loss = create_loss("am_softmax", dim=4, speakers=3)
    assert origin(lambda: loss(net(x), torch.arange(6) % 3).value, net).operation == "aten.sqrt"
    with pytest.raises(InputError, match="speakers must be in"):
        find_origin(lambda: loss(net[0](x), torch.arange(6)).value, net)
    with pytest.raises(InputError, match="scalar"):
        find_origin(lambda: net[0](x), net)


@pytest.mark.parametrize("name", ["am_softmax", "ham_softmax", "triplet", "gaussian_kl", "supervised_contrastive"])
def test_origin__healthy_losses_have_none(name: str):
    net, x = model(nn.BatchNorm1d(4)), draw_embeddings(8, 4, seed=3)
    loss = create_loss(name, dim=4, speakers=4)
    speakers = torch.arange(4).repeat_interleave(2)
    assert find_origin(lambda: loss(net(x), speakers).value, nn.ModuleDict({"e": net, "l": loss})) is None


def test_origin__leaves_no_trace():
    net, x = model(nn.BatchNorm1d(4), nn.Dropout(0.5)), draw_embeddings(6, 4, seed=0)
    net(x).sum().backward()
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    gradients = [(p.grad, p.grad.clone()) for p in net.parameters() if p.grad is not None]
    chance = torch.get_rng_state()
    assert find_origin(lambda: net(x).sqrt().sum(), net) is not None
    assert all(torch.equal(tensor, before[name]) for name, tensor in net.state_dict().items())
    for parameter, (gradient, copy) in zip(net.parameters(), gradients, strict=True):
        assert parameter.grad is gradient
        assert torch.equal(gradient, copy)
    assert torch.equal(torch.get_rng_state(), chance)
    assert not torch.nn.modules.module._global_forward_pre_hooks
    assert not torch.nn.modules.module._global_forward_hooks
