"""The contract of a loss as a list of named checks, to be run on any loss, ours or yours.

    import pytest
    from curvox.testing.loss_contract import CHECKS

    @pytest.mark.parametrize("name", CHECKS)
    def test_my_loss__keeps_the_contract(name):
        CHECKS[name](lambda dim, speakers: MyLoss(dim, speakers, margin=0.3))

A check takes a factory ``(dim, speakers) -> loss``, builds as many losses as it needs, and raises AssertionError
with a sentence when the contract is broken. Where a batch has no meaning for a loss (a pair loss and a batch of one
recording) an `InputError` counts as keeping the contract; a loss that is not finite never does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from curvox.errors import InputError
from curvox.losses import AbstractLoss, LossOutput

LossFactory = Callable[[int, int], AbstractLoss]
Check = Callable[[LossFactory], None]

DIM, SPEAKERS = 6, 4
MANY_SPEAKERS = 100_000
CHECKS: dict[str, Check] = {}


def check_loss(factory: LossFactory) -> None:
    """Run every check on the losses of ``factory``."""
    for check in CHECKS.values():
        check(factory)


def _listed(check: Check) -> Check:
    CHECKS[check.__name__.removeprefix("check_")] = check
    return check


def _require(holds: bool | Tensor, message: str) -> None:
    if not bool(holds):
        raise AssertionError(message)


def _build(factory: LossFactory, *, dim: int = DIM, speakers: int = SPEAKERS, spread: bool = True) -> AbstractLoss:
    """Build a loss from a fixed seed; ``spread`` moves its centres apart, as training would have."""
    torch.manual_seed(1)
    loss = factory(dim, speakers)
    if spread:
        for centres in _centres(loss, speakers):
            torch.nn.init.normal_(centres, std=0.5)
    return loss


def _centres(loss: AbstractLoss, speakers: int) -> list[torch.nn.Parameter]:
    return [parameter for parameter in loss.parameters() if parameter.shape == (speakers, loss.dim)]


def _batch(items: int = 8, *, dim: int = DIM, speakers: int = SPEAKERS, seed: int = 2) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(items, dim, generator=generator), torch.arange(items) // 2 % speakers


def _step(loss: AbstractLoss, embeddings: Tensor, speakers: Tensor) -> tuple[LossOutput, list[Tensor]]:
    """Run a loss forward and backward; everything that comes out must be finite."""
    loss.zero_grad()
    leaf = embeddings.clone().requires_grad_()
    output = loss(leaf, speakers)
    output.value.backward()
    gradients = [leaf.grad, *(parameter.grad for parameter in loss.parameters())]
    present = [gradient for gradient in gradients if gradient is not None]
    _require(torch.isfinite(output.value), f"the loss is {output.value.item()}")
    _require(torch.isfinite(output.per_item).all(), f"per_item is not finite: {output.per_item}")
    for gradient in present:
        _require(torch.isfinite(gradient).all(), f"a gradient of shape {tuple(gradient.shape)} is not finite")
    return output, present


@contextmanager
def _or_refused() -> Iterator[None]:
    try:
        yield
    except InputError as refusal:
        _require(len(str(refusal)) > 20, f"a refusal must name its cause, got {str(refusal)!r}")


def _refuses(what: str, loss: AbstractLoss, embeddings: Tensor, speakers: Tensor) -> None:
    try:
        loss(embeddings, speakers)
    except InputError:
        return
    raise AssertionError(f"{what} must be refused by InputError")


@_listed
def check_output(factory: LossFactory) -> None:
    """The value is a scalar with a gradient, per_item has one entry an item, parts are detached scalars."""
    loss = _build(factory)
    embeddings, speakers = _batch()
    before = embeddings.clone()
    output, _ = _step(loss, embeddings, speakers)
    _require(output.value.shape == (), f"value must be a scalar, got {tuple(output.value.shape)}")
    _require(output.per_item.shape == (8,), f"per_item must be (8,), got {tuple(output.per_item.shape)}")
    for name, part in output.parts.items():
        _require(part.shape == () and not part.requires_grad, f'part "{name}" must be a detached scalar')
    _require(torch.equal(before, embeddings), "the embeddings given were changed")


@_listed
def check_gradients(factory: LossFactory) -> None:
    """Gradients in embeddings and in every parameter equal finite differences in float64."""
    loss = _build(factory).double()
    embeddings, speakers = _batch(6)
    names = [name for name, _ in loss.named_parameters()]

    def value(z: Tensor, *parameters: Tensor) -> Tensor:
        output = torch.func.functional_call(loss, dict(zip(names, parameters, strict=True)), (z, speakers))
        return output.value

    inputs = [embeddings.double().requires_grad_()]
    inputs += [parameter.detach().clone().requires_grad_() for parameter in loss.parameters()]
    _require(torch.autograd.gradcheck(value, tuple(inputs)), "gradcheck failed")


@_listed
def check_aligned(factory: LossFactory) -> None:
    """Embeddings exactly on their own centre, and exactly opposite, are finite in value and gradient."""
    loss = _build(factory)
    embeddings, speakers = _batch()
    for centres in _centres(loss, SPEAKERS) or [embeddings[:SPEAKERS]]:
        for sign in (1.0, -1.0):
            _step(loss, sign * centres.detach()[speakers], speakers)


@_listed
def check_untrained(factory: LossFactory) -> None:
    """A loss as it comes from its constructor gives a finite loss and a gradient that is not all zero."""
    _, gradients = _step(_build(factory, spread=False), *_batch())
    _require(any(bool(gradient.abs().max() > 0) for gradient in gradients), "every gradient is zero before training")


@_listed
def check_duplicates(factory: LossFactory) -> None:
    """A batch of one embedding repeated, under several speakers, is finite."""
    embeddings, speakers = _batch()
    _step(_build(factory), embeddings[:1].expand(8, -1), speakers)


@_listed
def check_extreme_sizes(factory: LossFactory) -> None:
    """Zero, tiny (1e-12, 1e-30) and huge (1e4) embeddings are finite, in whole batches and beside ordinary ones."""
    loss = _build(factory)
    embeddings, speakers = _batch()
    for size in (0.0, 1e-30, 1e-12, 1e4):
        _step(loss, size * embeddings, speakers)
        mixed = embeddings.clone()
        mixed[3] *= size
        _step(loss, mixed, speakers)


@_listed
def check_degenerate_batches(factory: LossFactory) -> None:
    """Batches of one speaker, of all different speakers, and of one item are finite or refused by name."""
    loss = _build(factory)
    embeddings, _ = _batch()
    with _or_refused():
        _step(loss, embeddings, torch.full((8,), 2))
    with _or_refused():
        _step(loss, embeddings[:SPEAKERS], torch.arange(SPEAKERS))
    with _or_refused():
        _step(loss, embeddings[:1], torch.tensor([3]))


@_listed
def check_two_speakers(factory: LossFactory) -> None:
    """The smallest classification, N = 2."""
    _step(_build(factory, speakers=2), *_batch(speakers=2))


@_listed
def check_many_speakers(factory: LossFactory) -> None:
    """N = 100,000, untrained, with labels up to the last one."""
    loss = _build(factory, speakers=MANY_SPEAKERS, spread=False)
    embeddings, speakers = _batch(speakers=MANY_SPEAKERS)
    _step(loss, embeddings, MANY_SPEAKERS - 1 - speakers)


@_listed
def check_autocast(factory: LossFactory) -> None:
    """Under autocast, and for half-precision embeddings, the loss computes in float32 all the same."""
    loss = _build(factory)
    embeddings, speakers = _batch()
    for dtype in (torch.bfloat16, torch.float16):
        half = embeddings.to(dtype)
        expected = loss(half.float(), speakers).value
        with torch.autocast("cpu", dtype=dtype):
            output, _ = _step(loss, half, speakers)
        _require(output.value.dtype == torch.float32, f"the loss came in {output.value.dtype} under autocast")
        _require(
            torch.equal(output.value, expected), f"{dtype} autocast changed the loss from {expected} to {output.value}"
        )


@_listed
def check_permutation(factory: LossFactory) -> None:
    """Another order of the batch gives the same value and the same per-item losses in that order."""
    loss = _build(factory).double()
    embeddings, speakers = _batch()
    order = torch.tensor([5, 2, 7, 0, 3, 1, 6, 4])
    first = loss(embeddings.double(), speakers)
    second = loss(embeddings.double()[order], speakers[order])
    _require(torch.allclose(first.value, second.value, rtol=1e-12), "the value depends on the order of the batch")
    same = torch.allclose(first.per_item[order], second.per_item, rtol=1e-12, atol=1e-12)
    _require(same, "per_item does not follow the order of the batch")


@_listed
def check_dtype_move(factory: LossFactory) -> None:
    """``.to(float64)`` and back works, and float32 agrees with float64 to 1e-4."""
    loss = _build(factory)
    embeddings, speakers = _batch()
    single = loss(embeddings, speakers).value
    double = loss.to(torch.float64)(embeddings.double(), speakers).value
    _require(double.dtype == torch.float64, f"a float64 loss computed in {double.dtype}")
    _require(torch.allclose(single.double(), double, rtol=1e-4), f"float32 gives {single}, float64 {double}")
    _step(loss.to(torch.float32), embeddings, speakers)


@_listed
def check_device_move(factory: LossFactory) -> None:
    """On every accelerator at hand the loss equals that of the processor; nothing to do where there is none."""
    if not torch.cuda.is_available():
        return
    loss = _build(factory)
    embeddings, speakers = _batch()
    here = loss(embeddings, speakers).value
    there, _ = _step(loss.to("cuda"), embeddings.to("cuda"), speakers.to("cuda"))
    _require(torch.allclose(here, there.value.cpu(), rtol=1e-4), f"cpu gives {here}, cuda {there.value}")


@_listed
def check_state_dict(factory: LossFactory) -> None:
    """A state_dict loaded into a loss of another seed makes it the same loss; tensors stand in it once."""
    loss = _build(factory)
    embeddings, speakers = _batch()
    torch.manual_seed(3)
    other = factory(DIM, SPEAKERS)
    state = loss.state_dict()
    other.load_state_dict(state)
    _require(torch.equal(loss(embeddings, speakers).value, other(embeddings, speakers).value), "the copy differs")
    addresses = [tensor.data_ptr() for tensor in state.values()]
    _require(len(set(addresses)) == len(addresses), "a tensor stands in the state_dict under two names")


@_listed
def check_space(factory: LossFactory) -> None:
    """The loss names the space of its embeddings, and that space can be rebuilt from its description and state."""
    from curvox.geometry import create_space

    loss = _build(factory)
    embeddings, _ = _batch()
    copy = create_space(loss.space.describe())
    copy.load_state_dict(loss.space.state_dict())
    points = loss.space.project(embeddings)
    _require(torch.equal(points, copy.project(embeddings)), "the rebuilt space projects differently")


@_listed
def check_margin_scale(factory: LossFactory) -> None:
    """A larger margin never lowers the loss; scale 1 is where a loss starts; scales below zero are refused."""
    loss = _build(factory).double()
    embeddings, speakers = _batch()
    start = loss(embeddings.double(), speakers).per_item
    before = torch.zeros_like(start)
    for scale in (0.0, 0.5, 1.0, 1.5):
        loss.set_margin_scale(scale)
        now = loss(embeddings.double(), speakers).per_item
        _require((now >= before - 1e-12).all(), f"margin scale {scale} lowers the loss of an item")
        _require(scale != 1.0 or torch.equal(now, start), "margin scale 1 is not the margin of the constructor")
        before = now
    for wrong in (-0.1, float("nan"), float("inf")):
        try:
            loss.set_margin_scale(wrong)
        except InputError:
            continue
        raise AssertionError(f"margin scale {wrong} must be refused")


@_listed
def check_learns(factory: LossFactory) -> None:
    """Twenty steps of Adam on embeddings and parameters lower the loss."""
    loss = _build(factory)
    embeddings, speakers = _batch()
    leaf = embeddings.clone().requires_grad_()
    optimiser = torch.optim.Adam([leaf, *loss.parameters()], lr=0.05)
    first = loss(leaf, speakers).value.item()
    for _ in range(20):
        optimiser.zero_grad()
        loss(leaf, speakers).value.backward()
        optimiser.step()
    last = loss(leaf, speakers).value.item()
    _require(last < first, f"the loss went from {first:.4g} to {last:.4g} in twenty steps")


@_listed
def check_bad_embeddings(factory: LossFactory) -> None:
    """Embeddings of a wrong shape or type, empty, or not finite are refused."""
    loss = _build(factory)
    embeddings, speakers = _batch()
    for value in (float("nan"), float("inf"), 1e30):
        broken = embeddings.clone()
        broken[5, 1] = value
        _refuses(f"an embedding with {value}", loss, broken, speakers)
    _refuses("one embedding without a batch", loss, embeddings[0], speakers)
    _refuses("embeddings of another dimension", loss, embeddings[:, 1:], speakers)
    _refuses("embeddings with a third axis", loss, embeddings[None], speakers)
    _refuses("integer embeddings", loss, embeddings.long(), speakers)
    _refuses("an empty batch", loss, embeddings[:0], speakers[:0])


@_listed
def check_bad_speakers(factory: LossFactory) -> None:
    """Speakers of a wrong shape or type, or out of range, are refused."""
    loss = _build(factory)
    embeddings, speakers = _batch()
    _refuses("float speakers", loss, embeddings, speakers.float())
    _refuses("boolean speakers", loss, embeddings, speakers > 0)
    _refuses("too few speakers", loss, embeddings, speakers[1:])
    _refuses("one-hot speakers", loss, embeddings, torch.eye(SPEAKERS)[speakers].long())
    if loss.speakers is not None:
        _refuses("a speaker beyond the last", loss, embeddings, speakers + 1)
        _refuses("a speaker below zero", loss, embeddings, speakers - 1)
