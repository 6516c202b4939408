"""Combined: the weighted sum, the space it is compared in, the margins it schedules, the parts it refuses."""

from __future__ import annotations

import copy

import pytest
import torch
from builders import draw_batch

from curvox.errors import InputError
from curvox.geometry import ExpMap, Hypersphere, PoincareBall
from curvox.losses import AAMSoftmax, AbstractLoss, AMSoftmax, Combined, HSoftmax, Triplet, WeightedLoss


def test_combined__is_the_published_mixture_by_default() -> None:
    embeddings, speakers = draw_batch()
    loss = Combined(6, 4)
    output = loss(embeddings, speakers)
    ram, ham = (part(embeddings, speakers) for part in loss.members())
    torch.testing.assert_close(output.value, 0.3 * ram.value + 0.7 * ham.value)
    torch.testing.assert_close(output.per_item, 0.3 * ram.per_item + 0.7 * ham.per_item)
    torch.testing.assert_close(output.parts["ram_softmax"], ram.value.detach())
    torch.testing.assert_close(output.parts["ham_softmax/target_distance"], ham.parts["target_distance"])
    assert loss.space is loss.members()[1].space


def test_combined__compares_in_the_space_it_was_told() -> None:
    assert isinstance(Combined(6, 4, space_of="ram_softmax").space, Hypersphere)
    assert isinstance(Combined(6, 4, space_of="ham_softmax").space, PoincareBall)
    equal = [WeightedLoss(1.0, AMSoftmax(6, 4)), WeightedLoss(1.0, HSoftmax(6, 4))]
    assert isinstance(Combined(6, 4, parts=equal).space, Hypersphere)
    with pytest.raises(InputError, match="ham_softmax"):
        Combined(6, 4, space_of="hamsoftmax")


def test_combined__schedules_the_margins_of_all_its_parts() -> None:
    inner = Combined(6, 4)
    outer = Combined(6, 4, parts=[WeightedLoss(1.0, inner), WeightedLoss(2.0, AAMSoftmax(6, 4, margin=1.0))])
    outer.set_margin_scale(0.5)
    assert [loss.margin_scale for loss in outer.modules() if isinstance(loss, AbstractLoss)] == [0.5] * 5
    with pytest.raises(InputError, match=r"3\.14"):
        outer.set_margin_scale(4.0)
    assert outer.margin_scale == 0.5


def test_combined__numbers_parts_of_one_kind() -> None:
    parts = [WeightedLoss(1.0, AMSoftmax(6, 4)), WeightedLoss(2.0, AMSoftmax(6, 4, margin=0.4))]
    loss = Combined(6, 4, parts=parts, space_of="am_softmax_2")
    assert {"am_softmax", "am_softmax_2"} < set(loss(*draw_batch()).parts)
    assert loss.space is parts[1].loss.space


def test_combined__of_centres_and_pairs_needs_the_whole_batch_and_pairs_in_it() -> None:
    loss = Combined(6, 4, parts=[WeightedLoss(1.0, AMSoftmax(6, 4)), WeightedLoss(0.5, Triplet(6))])
    assert loss.whole_batch
    assert not Combined(6, 4).whole_batch
    embeddings, speakers = draw_batch()
    output = loss(embeddings, speakers)
    am, triplet = (part(embeddings, speakers) for part in loss.members())
    torch.testing.assert_close(output.per_item, am.per_item + 0.5 * triplet.per_item)
    with pytest.raises(InputError, match="recording"):
        loss(embeddings[:4], speakers[:4])


def test_combined__refuses_parts_that_do_not_fit() -> None:
    for parts, reason in [
        ([], "at least one"),
        ([WeightedLoss(1.0, AMSoftmax(7, 4))], "7 dimensions"),
        ([WeightedLoss(1.0, AMSoftmax(6, 5))], "5 speakers"),
        ([WeightedLoss(0.0, AMSoftmax(6, 4))], "weight"),
        ([WeightedLoss(float("nan"), AMSoftmax(6, 4))], "weight"),
    ]:
        with pytest.raises(InputError, match=reason):
            Combined(6, 4, parts=parts)


def test_combined__survives_a_deep_copy_with_its_own_space() -> None:
    loss = Combined(6, 4, parts=[WeightedLoss(1.0, HSoftmax(6, 4, space=PoincareBall(lift=ExpMap())))])
    twin = copy.deepcopy(loss)
    assert twin.space is twin.members()[0].space
    assert twin.space is not loss.space
