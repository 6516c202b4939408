"""The contract of an encoder as a list of named checks, to be run on any encoder, ours or yours.

A check takes a factory ``(n_mels, embedding_dim) -> encoder``, builds as many encoders as it needs, and raises
AssertionError with a sentence when the contract is broken. A small encoder is enough, and quicker.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from curvox.encoders import AbstractEncoder
from curvox.testing.contract import listing, refuses, require, require_each_once

EncoderFactory = Callable[[int, int], AbstractEncoder]
Check = Callable[[EncoderFactory], None]

N_MELS, DIM = 24, 9

CHECKS: dict[str, Check] = {}
_listed = listing(CHECKS)


def check_encoder(factory: EncoderFactory) -> None:
    """Run every check on the encoders of ``factory``."""
    for check in CHECKS.values():
        check(factory)


def build(factory: EncoderFactory) -> AbstractEncoder:
    """Build an encoder in float64 and evaluation mode; its normalisations have seen other data than they are given."""
    torch.manual_seed(1)
    encoder = factory(N_MELS, DIM)
    for module in encoder.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d) and module.running_mean is not None:
            module.running_mean.normal_(std=0.3)
            if module.running_var is not None:
                module.running_var.uniform_(0.5, 1.5)
            if module.bias is not None:
                nn.init.normal_(module.bias, std=0.3)
    return encoder.eval().double()


def draw_features(items: int, frames: int, *, seed: int = 2) -> Tensor:
    """Draw normal features (items, frames, n_mels) in float64."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(items, frames, N_MELS, generator=generator, dtype=torch.float64)


def _close(x: Tensor, y: Tensor) -> bool:
    return torch.allclose(x, y, rtol=1e-7, atol=1e-8)


@_listed
def check_output(factory: EncoderFactory) -> None:
    """There is one finite embedding (D,) an item, of the size and type that were asked for; the features stay."""
    encoder, features = build(factory), draw_features(3, 17)
    before = features.clone()
    embeddings = encoder(features)
    require(embeddings.shape == (3, DIM), f"the embeddings must be (3, {DIM}), got {tuple(embeddings.shape)}")
    require(encoder.embedding_dim == DIM, f"embedding_dim must be {DIM}, got {encoder.embedding_dim}")
    require(encoder.n_mels == N_MELS, f"n_mels must be {N_MELS}, got {encoder.n_mels}")
    require(torch.isfinite(embeddings).all(), "an embedding is not finite")
    require(torch.equal(before, features), "the features given were changed")
    single = encoder.float()(features.float())
    require(single.dtype == torch.float32, f"a float32 encoder computed in {single.dtype}")
    require(torch.allclose(single.double(), embeddings, rtol=1e-2, atol=1e-3), "float32 and float64 differ")


@_listed
def check_utterances_apart(factory: EncoderFactory) -> None:
    """Different utterances have different embeddings."""
    embeddings = build(factory)(draw_features(3, 17))
    require(not _close(embeddings[0], embeddings[1]), "two utterances have one embedding")


@_listed
def check_determinism(factory: EncoderFactory) -> None:
    """In evaluation mode the same batch has the same embeddings, bit for bit, and changes nothing in the encoder."""
    encoder, features = build(factory), draw_features(3, 17)
    lengths = torch.tensor([17, 12, 9])
    before = {name: tensor.clone() for name, tensor in encoder.state_dict().items()}
    first = encoder(features, lengths)
    encoder(draw_features(2, 30, seed=3))
    require(torch.equal(first, encoder(features, lengths)), "a second call gives other embeddings")
    for name, tensor in encoder.state_dict().items():
        require(torch.equal(before[name], tensor), f'evaluation changed "{name}"')


@_listed
def check_permutation(factory: EncoderFactory) -> None:
    """Another order of the batch gives the same embeddings in that order."""
    encoder, features = build(factory), draw_features(4, 17)
    order = torch.tensor([2, 0, 3, 1])
    require(_close(encoder(features[order]), encoder(features)[order]), "embeddings depend on the order of the batch")


@_listed
def check_padding(factory: EncoderFactory) -> None:
    """A padded item has the embedding that it has alone, whatever stands in the padding."""
    encoder = build(factory)
    lengths = [46, 45, 17, 9, encoder.minimum_frames]
    features = draw_features(len(lengths), 46)
    together = encoder(features, torch.tensor(lengths))
    for row, length in enumerate(lengths):
        alone = encoder(features[row : row + 1, :length])[0]
        require(_close(together[row], alone), f"an item of {length} frames padded to 46 differs from itself alone")
        features[row, length:] = 1e3
    require(_close(encoder(features, torch.tensor(lengths)), together), "what stands in the padding is heard")


@_listed
def check_full_lengths(factory: EncoderFactory) -> None:
    """Lengths that fill the batch give what no lengths give."""
    encoder, features = build(factory), draw_features(2, 18)
    require(torch.equal(encoder(features, torch.tensor([18, 18])), encoder(features)), "full lengths change something")


@_listed
def check_gradients(factory: EncoderFactory) -> None:
    """A finite gradient reaches every parameter and the features, also on silence and on padded batches."""
    for features in (draw_features(3, 20), torch.zeros(3, 20, N_MELS, dtype=torch.float64)):
        for lengths in (None, torch.tensor([20, 20, 5])):
            encoder, leaf = build(factory).train(), features.clone().requires_grad_()
            embeddings = encoder(leaf, lengths)
            weights = torch.randn(embeddings.shape, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
            (embeddings * weights).sum().backward()
            for name, tensor in (("the features", leaf), *encoder.named_parameters()):
                require(tensor.grad is not None, f"no gradient reaches {name}")
                require(tensor.grad is None or torch.isfinite(tensor.grad).all(), f"the gradient of {name} is infinite")


@_listed
def check_gradient_of_padding(factory: EncoderFactory) -> None:
    """In training a gradient reaches the real frames, and none the padding."""
    features = draw_features(3, 24).requires_grad_()
    build(factory).train()(features, torch.tensor([24, 16, 8])).square().sum().backward()
    gradient = features.grad
    require(gradient is not None and gradient[0].abs().sum() > 0, "no gradient reaches the real frames")
    if gradient is not None:
        require(not gradient[1, 16:].any() and not gradient[2, 8:].any(), "a gradient reaches the padding")


@_listed
def check_shortest(factory: EncoderFactory) -> None:
    """An utterance of ``minimum_frames`` is finite, a shorter one is refused and the least named."""
    encoder = build(factory)
    least = encoder.minimum_frames
    require(torch.isfinite(encoder(draw_features(1, least))).all(), f"{least} frames give no finite embedding")
    said = refuses(f"an utterance of {least - 1} frames", encoder, draw_features(1, least - 1))
    require(f"at least {least}" in said, f"the least must be named, got {said!r}")
    said = refuses(f"a length of {least - 1}", encoder, draw_features(2, 9), torch.tensor([9, least - 1]))
    require(f"{least}..9" in said, f"the range must be named, got {said!r}")


@_listed
def check_bad_features(factory: EncoderFactory) -> None:
    """Features and lengths of another shape, and lengths beyond the batch, are refused and named."""
    encoder, features = build(factory), draw_features(2, 9)
    for what, wrong in (
        ("features of another size", torch.cat([features, features[:, :, :1]], 2)),
        ("features without a batch", features[0]),
        ("features with a fourth axis", features[None]),
    ):
        require("features" in refuses(what, encoder, wrong), f"{what}: the refusal must name the features")
    for what, lengths in (("too few lengths", [9]), ("a length beyond the batch", [9, 10]), ("no frames", [9, 0])):
        said = refuses(what, encoder, features, torch.tensor(lengths))
        require("lengths_frames" in said, f"{what}: the refusal must name lengths_frames")


@_listed
def check_sizes(factory: EncoderFactory) -> None:
    """An embedding without dimensions, and frames without features, are refused and named."""
    require("embedding_dim" in refuses("embedding_dim of 0", factory, N_MELS, 0), "the refusal must name embedding_dim")
    require("n_mels" in refuses("n_mels of 0", factory, 0, DIM), "the refusal must name n_mels")


@_listed
def check_state_dict(factory: EncoderFactory) -> None:
    """A state_dict loaded into an encoder of another seed makes it the same encoder; tensors stand in it once."""
    encoder, features = build(factory), draw_features(2, 17)
    torch.manual_seed(3)
    other = factory(N_MELS, DIM).eval().double()
    state = encoder.state_dict()
    other.load_state_dict(state)
    require(torch.equal(other(features), encoder(features)), "the copy differs")
    require_each_once(state)


@_listed
def check_device_move(factory: EncoderFactory) -> None:
    """On an accelerator an encoder gives what it gives on the processor; nothing to do where there is none."""
    if not torch.cuda.is_available():
        return
    encoder, features = build(factory), draw_features(2, 17)
    here = encoder(features, torch.tensor([17, 9]))
    there = encoder.to("cuda")(features.to("cuda"), torch.tensor([17, 9], device="cuda"))
    require(torch.allclose(here, there.cpu(), rtol=1e-6, atol=1e-6), "the accelerator gives other embeddings")
