"""Checks of the numbers of a loss: values, gradients, extremes, precision, what is saved, margins."""

from __future__ import annotations

import torch
from torch import Tensor

from curvox.errors import InputError
from curvox.testing.loss_probes import (
    DIM,
    SPEAKERS,
    LossFactory,
    batch,
    build,
    centres_of,
    listed,
    or_refused,
    require,
    step,
)

MANY_SPEAKERS = 100_000


@listed
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


@listed
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


@listed
def check_aligned(factory: LossFactory) -> None:
    """Embeddings exactly on their own centre, and exactly opposite, are finite in value and gradient."""
    loss = build(factory)
    embeddings, speakers = batch()
    for centres in centres_of(loss, SPEAKERS) or [embeddings[:SPEAKERS]]:
        for sign in (1.0, -1.0):
            step(loss, sign * centres.detach().reshape(-1, DIM)[speakers], speakers)


@listed
def check_untrained(factory: LossFactory) -> None:
    """A loss as it comes from its constructor gives a finite loss and a gradient that is not all zero."""
    _, gradients = step(build(factory, spread=False), *batch())
    require(any(bool(gradient.abs().max() > 0) for gradient in gradients), "every gradient is zero before training")


@listed
def check_duplicates(factory: LossFactory) -> None:
    """A batch of one embedding repeated, under several speakers, is finite."""
    embeddings, speakers = batch()
    step(build(factory), embeddings[:1].expand(8, -1), speakers)


@listed
def check_extreme_sizes(factory: LossFactory) -> None:
    """Zero, tiny (1e-12, 1e-30) and huge (1e4) embeddings are finite, in whole batches and beside ordinary ones."""
    loss = build(factory)
    embeddings, speakers = batch()
    for size in (0.0, 1e-30, 1e-12, 1e4):
        step(loss, size * embeddings, speakers)
        mixed = embeddings.clone()
        mixed[3] *= size
        step(loss, mixed, speakers)


@listed
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


@listed
def check_two_speakers(factory: LossFactory) -> None:
    """The smallest classification, N = 2."""
    step(build(factory, speakers=2), *batch(speakers=2))


@listed
def check_many_speakers(factory: LossFactory) -> None:
    """N = 100,000, untrained, with labels up to the last one."""
    loss = build(factory, speakers=MANY_SPEAKERS, spread=False)
    embeddings, speakers = batch(speakers=MANY_SPEAKERS)
    step(loss, embeddings, MANY_SPEAKERS - 1 - speakers)


@listed
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


@listed
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


@listed
def check_dtype_move(factory: LossFactory) -> None:
    """``.to(float64)`` and back works, and float32 agrees with float64 to 1e-4."""
    loss = build(factory)
    embeddings, speakers = batch()
    single = loss(embeddings, speakers).value
    double = loss.to(torch.float64)(embeddings.double(), speakers).value
    require(double.dtype == torch.float64, f"a float64 loss computed in {double.dtype}")
    require(torch.allclose(single.double(), double, rtol=1e-4), f"float32 gives {single}, float64 {double}")
    step(loss.to(torch.float32), embeddings, speakers)


@listed
def check_device_move(factory: LossFactory) -> None:
    """On every accelerator at hand the loss equals that of the processor; nothing to do where there is none."""
    if not torch.cuda.is_available():
        return
    loss = build(factory)
    embeddings, speakers = batch()
    here = loss(embeddings, speakers).value
    there, _ = step(loss.to("cuda"), embeddings.to("cuda"), speakers.to("cuda"))
    require(torch.allclose(here, there.value.cpu(), rtol=1e-4), f"cpu gives {here}, cuda {there.value}")


@listed
def check_state_dict(factory: LossFactory) -> None:
    """A state_dict loaded into a loss of another seed makes it the same loss; tensors stand in it once."""
    loss = build(factory)
    embeddings, speakers = batch()
    torch.manual_seed(3)
    other = factory(DIM, SPEAKERS)
    state = loss.state_dict()
    other.load_state_dict(state)
    require(torch.equal(loss(embeddings, speakers).value, other(embeddings, speakers).value), "the copy differs")
    addresses = [tensor.data_ptr() for tensor in state.values()]
    require(len(set(addresses)) == len(addresses), "a tensor stands in the state_dict under two names")


@listed
def check_space(factory: LossFactory) -> None:
    """The loss names the space of its embeddings, and that space can be rebuilt from its description and state."""
    from curvox.geometry import create_space

    loss = build(factory)
    embeddings, _ = batch()
    copy = create_space(loss.space.describe())
    copy.load_state_dict(loss.space.state_dict())
    points = loss.space.project(embeddings)
    require(torch.equal(points, copy.project(embeddings)), "the rebuilt space projects differently")


@listed
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
        try:
            loss.set_margin_scale(wrong)
        except InputError:
            continue
        raise AssertionError(f"margin scale {wrong} must be refused")


@listed
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
