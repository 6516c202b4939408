"""The contract of a loss as a list of named checks, to be run on any loss, ours or yours.

A check takes a factory ``(dim, speakers) -> loss``, builds as many losses as it needs, and raises AssertionError
with a sentence when the contract is broken. Where a batch has no meaning for a loss (a pair loss and a batch of one
recording) an `InputError` counts as keeping the contract; a loss that is not finite never does. Checks of pair losses
have nothing to do for a loss whose ``whole_batch`` is False.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from curvox.geometry import create_space
from curvox.losses import AbstractLoss, LossOutput
from curvox.testing.contract import listing, or_refused, refuses, require, require_each_once

LossFactory = Callable[[int, int], AbstractLoss]
Check = Callable[[LossFactory], None]

DIM, SPEAKERS, MANY_SPEAKERS = 6, 4, 100_000
UNEQUAL = (0, 1, 0, 2, 1, 0, 3, 0)

CHECKS: dict[str, Check] = {}
_listed = listing(CHECKS)


def check_loss(factory: LossFactory) -> None:
    """Run every check on the losses of ``factory``."""
    for check in CHECKS.values():
        check(factory)


def build(factory: LossFactory, *, dim: int = DIM, speakers: int = SPEAKERS, spread: bool = True) -> AbstractLoss:
    """Build a loss from a fixed seed; ``spread`` moves its centres apart, as training would have."""
    torch.manual_seed(1)
    loss = factory(dim, speakers)
    if spread:
        for centres in centres_of(loss, speakers):
            torch.nn.init.normal_(centres, std=0.5)
    return loss


def centres_of(loss: AbstractLoss, speakers: int) -> list[torch.nn.Parameter]:
    """The parameters that hold whole vectors of the embeddings' dimension, one or more for each speaker."""
    wide = [parameter for parameter in loss.parameters() if parameter.ndim > 1 and parameter.shape[-1] == loss.dim]
    return [parameter for parameter in wide if parameter.numel() % (speakers * loss.dim) == 0]


def batch(items: int = 8, *, dim: int = DIM, speakers: int = SPEAKERS, seed: int = 2) -> tuple[Tensor, Tensor]:
    """Normal embeddings and speakers with two recordings each, side by side, for as long as there are speakers."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(items, dim, generator=generator), torch.arange(items) // 2 % speakers


def step(loss: AbstractLoss, embeddings: Tensor, speakers: Tensor) -> tuple[LossOutput, list[Tensor]]:
    """Run a loss forward and backward; everything that comes out must be finite."""
    loss.zero_grad()
    leaf = embeddings.clone().requires_grad_()
    output = loss(leaf, speakers)
    output.value.backward()
    gradients = [leaf.grad, *(parameter.grad for parameter in loss.parameters())]
    present = [gradient for gradient in gradients if gradient is not None]
    require(torch.isfinite(output.value), f"the loss is {output.value.item()}")
    require(torch.isfinite(output.per_item).all(), f"per_item is not finite: {output.per_item}")
    for gradient in present:
        require(torch.isfinite(gradient).all(), f"a gradient of shape {tuple(gradient.shape)} is not finite")
    return output, present


@_listed
def check_output(factory: LossFactory) -> None:
    """The value is a scalar and the mean of per_item, which has one entry an item; parts are detached scalars."""
    loss = build(factory)
    embeddings, speakers = batch()
    before = embeddings.clone()
    output, _ = step(loss, embeddings, speakers)
    require(output.value.shape == (), f"value must be a scalar, got {tuple(output.value.shape)}")
    require(output.per_item.shape == (8,), f"per_item must be (8,), got {tuple(output.per_item.shape)}")
    mean = output.per_item.mean()
    require(torch.allclose(output.value, mean, rtol=1e-5, atol=1e-7), f"value {output.value} is not the mean {mean}")
    for name, part in output.parts.items():
        require(part.shape == () and not part.requires_grad, f'part "{name}" must be a detached scalar')
    require(torch.equal(before, embeddings), "the embeddings given were changed")


@_listed
def check_gradients(factory: LossFactory) -> None:
    """Gradients in embeddings and in every parameter equal finite differences in float64."""
    loss = build(factory).double()
    embeddings, speakers = batch(6)
    names = [name for name, _ in loss.named_parameters()]

    def value(z: Tensor, *parameters: Tensor) -> Tensor:
        output = torch.func.functional_call(loss, dict(zip(names, parameters, strict=True)), (z, speakers))
        return output.value

    inputs = [embeddings.double().requires_grad_()]
    inputs += [parameter.detach().clone().requires_grad_() for parameter in loss.parameters()]
    require(torch.autograd.gradcheck(value, tuple(inputs)), "gradcheck failed")


@_listed
def check_aligned(factory: LossFactory) -> None:
    """Embeddings exactly on their own centre, and exactly opposite, are finite in value and gradient."""
    loss = build(factory)
    embeddings, speakers = batch()
    for centres in centres_of(loss, SPEAKERS) or [embeddings[:SPEAKERS]]:
        for sign in (1.0, -1.0):
            step(loss, sign * centres.detach().reshape(-1, DIM)[speakers], speakers)


@_listed
def check_untrained(factory: LossFactory) -> None:
    """A loss as it comes from its constructor gives a finite loss and a gradient that is not all zero."""
    _, gradients = step(build(factory, spread=False), *batch())
    require(any(bool(gradient.abs().max() > 0) for gradient in gradients), "every gradient is zero before training")


@_listed
def check_duplicates(factory: LossFactory) -> None:
    """A batch of one embedding repeated, under several speakers, is finite."""
    embeddings, speakers = batch()
    step(build(factory), embeddings[:1].expand(8, -1), speakers)


@_listed
def check_extreme_sizes(factory: LossFactory) -> None:
    """Zero, tiny (1e-12, 1e-30) and huge (1e4) embeddings are finite, in whole batches and beside ordinary ones."""
    loss = build(factory)
    embeddings, speakers = batch()
    for size in (0.0, 1e-30, 1e-12, 1e4):
        step(loss, size * embeddings, speakers)
        mixed = embeddings.clone()
        mixed[3] *= size
        step(loss, mixed, speakers)


@_listed
def check_degenerate_batches(factory: LossFactory) -> None:
    """Batches of one speaker, of all different speakers, and of one item are finite or refused by name."""
    loss = build(factory)
    embeddings, _ = batch()
    with or_refused():
        step(loss, embeddings, torch.full((8,), 2))
    with or_refused():
        step(loss, embeddings[:SPEAKERS], torch.arange(SPEAKERS))
    with or_refused():
        step(loss, embeddings[:1], torch.tensor([3]))


@_listed
def check_two_speakers(factory: LossFactory) -> None:
    """The smallest classification, N = 2."""
    step(build(factory, speakers=2), *batch(speakers=2))


@_listed
def check_many_speakers(factory: LossFactory) -> None:
    """N = 100,000, untrained, with labels up to the last one."""
    loss = build(factory, speakers=MANY_SPEAKERS, spread=False)
    embeddings, speakers = batch(speakers=MANY_SPEAKERS)
    step(loss, embeddings, MANY_SPEAKERS - 1 - speakers)


@_listed
def check_autocast(factory: LossFactory) -> None:
    """Under autocast, and for half-precision embeddings, the loss computes in float32 all the same."""
    loss = build(factory)
    embeddings, speakers = batch()
    for dtype in (torch.bfloat16, torch.float16):
        half = embeddings.to(dtype)
        expected = loss(half.float(), speakers).value
        with torch.autocast("cpu", dtype=dtype):
            output, _ = step(loss, half, speakers)
        require(output.value.dtype == torch.float32, f"the loss came in {output.value.dtype} under autocast")
        require(
            torch.equal(output.value, expected), f"{dtype} autocast changed the loss from {expected} to {output.value}"
        )


@_listed
def check_permutation(factory: LossFactory) -> None:
    """Another order of the batch gives the same value and the same per-item losses in that order."""
    loss = build(factory).double()
    embeddings, speakers = batch()
    order = torch.tensor([5, 2, 7, 0, 3, 1, 6, 4])
    first = loss(embeddings.double(), speakers)
    second = loss(embeddings.double()[order], speakers[order])
    require(torch.allclose(first.value, second.value, rtol=1e-12), "the value depends on the order of the batch")
    same = torch.allclose(first.per_item[order], second.per_item, rtol=1e-12, atol=1e-12)
    require(same, "per_item does not follow the order of the batch")


@_listed
def check_dtype_move(factory: LossFactory) -> None:
    """``.to(float64)`` and back works, and float32 agrees with float64 to 1e-4."""
    loss = build(factory)
    embeddings, speakers = batch()
    single = loss(embeddings, speakers).value
    double = loss.to(torch.float64)(embeddings.double(), speakers).value
    require(double.dtype == torch.float64, f"a float64 loss computed in {double.dtype}")
    require(torch.allclose(single.double(), double, rtol=1e-4), f"float32 gives {single}, float64 {double}")
    step(loss.to(torch.float32), embeddings, speakers)


@_listed
def check_device_move(factory: LossFactory) -> None:
    """On every accelerator at hand the loss equals that of the processor; nothing to do where there is none."""
    if not torch.cuda.is_available():
        return
    loss = build(factory)
    embeddings, speakers = batch()
    here = loss(embeddings, speakers).value
    there, _ = step(loss.to("cuda"), embeddings.to("cuda"), speakers.to("cuda"))
    require(torch.allclose(here, there.value.cpu(), rtol=1e-4), f"cpu gives {here}, cuda {there.value}")


@_listed
def check_state_dict(factory: LossFactory) -> None:
    """A state_dict loaded into a loss of another seed makes it the same loss; tensors stand in it once."""
    loss = build(factory)
    embeddings, speakers = batch()
    torch.manual_seed(3)
    other = factory(DIM, SPEAKERS)
    state = loss.state_dict()
    other.load_state_dict(state)
    require(torch.equal(loss(embeddings, speakers).value, other(embeddings, speakers).value), "the copy differs")
    require_each_once(state)


@_listed
def check_space(factory: LossFactory) -> None:
    """The loss names the space of its embeddings, and that space can be rebuilt from its description and state."""
    loss = build(factory)
    embeddings, _ = batch()
    copy = create_space(loss.space.describe())
    copy.load_state_dict(loss.space.state_dict())
    points = loss.space.project(embeddings)
    require(torch.equal(points, copy.project(embeddings)), "the rebuilt space projects differently")


@_listed
def check_margin_scale(factory: LossFactory) -> None:
    """A larger margin never lowers the loss; scale 1 is where a loss starts; scales below zero are refused."""
    loss = build(factory).double()
    embeddings, speakers = batch()
    start = loss(embeddings.double(), speakers).per_item
    before = torch.zeros_like(start)
    for scale in (0.0, 0.5, 1.0, 1.5):
        loss.set_margin_scale(scale)
        now = loss(embeddings.double(), speakers).per_item
        require((now >= before - 1e-12).all(), f"margin scale {scale} lowers the loss of an item")
        require(scale != 1.0 or torch.equal(now, start), "margin scale 1 is not the margin of the constructor")
        before = now
    for wrong in (-0.1, float("nan"), float("inf")):
        refuses(f"margin scale {wrong}", loss.set_margin_scale, wrong)


@_listed
def check_learns(factory: LossFactory) -> None:
    """Ten steps of Adam on embeddings and parameters lower the loss."""
    loss = build(factory)
    embeddings, speakers = batch()
    leaf = embeddings.clone().requires_grad_()
    optimiser = torch.optim.Adam([leaf, *loss.parameters()], lr=0.05)
    first = loss(leaf, speakers).value.item()
    for _ in range(10):
        optimiser.zero_grad()
        loss(leaf, speakers).value.backward()
        optimiser.step()
    last = loss(leaf, speakers).value.item()
    require(last < first, f"the loss went from {first:.4g} to {last:.4g} in ten steps")


def _unequal(embeddings: Tensor) -> tuple[Tensor, Tensor]:
    return embeddings[: len(UNEQUAL)], torch.tensor(UNEQUAL)


@_listed
def check_batches_without_pairs(factory: LossFactory) -> None:
    """A batch without a same-speaker pair, and one without a second speaker, are refused, and the repair is named."""
    loss = build(factory)
    if not loss.whole_batch:
        return
    embeddings, _ = batch(4)
    refuses("a batch of one speaker", loss, embeddings, torch.zeros(4, dtype=torch.long))
    said = refuses("a batch without a same-speaker pair", loss, embeddings, torch.arange(4))
    require("recordings_per_speaker" in said, f"the repair must be named, got {said!r}")


@_listed
def check_unequal_recordings(factory: LossFactory) -> None:
    """Speakers with four recordings, two and one in one batch are finite."""
    loss = build(factory)
    if loss.whole_batch:
        step(loss, *_unequal(batch()[0]))


@_listed
def check_solved(factory: LossFactory) -> None:
    """Recordings that coincide within each speaker are finite, near and far from those of other speakers."""
    loss = build(factory)
    if not loss.whole_batch:
        return
    embeddings, speakers = batch()
    for apart in (1e-6, 1.0, 1e3):
        step(loss, embeddings[0] + apart * embeddings[speakers], speakers)


@_listed
def check_labels(factory: LossFactory) -> None:
    """Speakers are only compared with each other: other whole numbers, also negative and large, change nothing."""
    loss = build(factory).double()
    if not loss.whole_batch or loss.speakers is not None:
        return
    embeddings, speakers = _unequal(batch()[0].double())
    torch.manual_seed(4)
    first = loss(embeddings, speakers).per_item
    torch.manual_seed(4)
    second = loss(embeddings, torch.tensor([7, -3, 2**40, 0])[speakers]).per_item
    require(torch.allclose(first, second, rtol=1e-12, atol=1e-12), f"other labels change {first} to {second}")


@_listed
def check_learnt_space(factory: LossFactory) -> None:
    """Whatever the space learns gets a gradient through a pair loss."""
    loss = build(factory)
    if loss.whole_batch:
        step(loss, *batch())
        for name, parameter in loss.space.named_parameters():
            require(parameter.grad is not None, f'no gradient reaches "{name}" of the space')


@_listed
def check_bad_embeddings(factory: LossFactory) -> None:
    """Embeddings of a wrong shape or type, empty, or not finite are refused."""
    loss = build(factory)
    embeddings, speakers = batch()
    for value in (float("nan"), float("inf"), 1e30):
        broken = embeddings.clone()
        broken[5, 1] = value
        refuses(f"an embedding with {value}", loss, broken, speakers)
    refuses("one embedding without a batch", loss, embeddings[0], speakers)
    refuses("embeddings of another dimension", loss, embeddings[:, 1:], speakers)
    refuses("embeddings with a third axis", loss, embeddings[None], speakers)
    refuses("integer embeddings", loss, embeddings.long(), speakers)
    refuses("an empty batch", loss, embeddings[:0], speakers[:0])


@_listed
def check_bad_speakers(factory: LossFactory) -> None:
    """Speakers of a wrong shape or type, or out of range, are refused."""
    loss = build(factory)
    embeddings, speakers = batch()
    refuses("float speakers", loss, embeddings, speakers.float())
    refuses("boolean speakers", loss, embeddings, speakers > 0)
    refuses("too few speakers", loss, embeddings, speakers[1:])
    refuses("one-hot speakers", loss, embeddings, torch.eye(SPEAKERS)[speakers].long())
    if loss.speakers is not None:
        refuses("a speaker beyond the last", loss, embeddings, speakers + 1)
        refuses("a speaker below zero", loss, embeddings, speakers - 1)
