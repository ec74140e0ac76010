import math

import numpy as np
import pytest
import torch

from pafo_sk._training.losses import (
    DISTILL_LOSSES,
    BradleyTerryLoss,
    DistillationLoss,
    bradley_terry,
    margin_error,
    soft_bradley_terry,
)


def column(*values):
    return torch.tensor(values, dtype=torch.float64)[:, None]


def test_bradley_terry_by_hand():
    loss = bradley_terry(column(0, math.log(3), math.log(3), 2), column(1, 1, 0, 0.5))
    # s(log 3) = 3/4
    soft = -0.5 * math.log(1 / (1 + math.exp(-2))) - 0.5 * math.log(1 / (1 + math.exp(2)))
    expected = [math.log(2), math.log(4 / 3), math.log(4), soft]
    np.testing.assert_allclose(loss[:, 0], expected, rtol=1e-12)


def test_bradley_terry_of_several_heads_and_large_margins():
    margin = torch.tensor([[1000.0, -1000.0]], dtype=torch.float64)
    loss = bradley_terry(margin, column(1))
    assert loss.shape == (1, 2)
    np.testing.assert_allclose(loss, [[0, 1000]])
    with pytest.raises(AssertionError):
        bradley_terry(margin, column(1, 0))


def test_soft_bradley_terry_by_hand():
    # the teacher says 3/4 at temperature 1, and s(log(3) / 2) at temperature 2
    teacher, margin = column(math.log(3)), column(0.5)
    log_s, log_not = -math.log(1 + math.exp(-0.5)), -math.log(1 + math.exp(0.5))
    expected = -0.75 * log_s - 0.25 * log_not
    assert soft_bradley_terry(teacher, margin).item() == pytest.approx(expected)
    p = math.sqrt(3) / (1 + math.sqrt(3))
    expected = -p * log_s - (1 - p) * log_not
    assert soft_bradley_terry(teacher, margin, 2.0).item() == pytest.approx(expected)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
@pytest.mark.parametrize("name", sorted(DISTILL_LOSSES))
def test_least_where_student_agrees_with_teacher(name, temperature):
    teacher = column(-2.0, 0.3, 4.0)
    margin = (teacher / temperature).clone().requires_grad_(True)
    DISTILL_LOSSES[name](teacher, margin, temperature).sum().backward()
    np.testing.assert_allclose(margin.grad, 0, atol=1e-12)


def test_margin_error_by_hand():
    # (1 - 3 / 2)^2 / 8
    assert margin_error(column(3.0), column(1.0), 2.0).item() == pytest.approx(0.25 / 8)
    with pytest.raises(AssertionError):
        margin_error(column(3.0), column(1.0, 2.0))


def test_both_distances_curve_alike_at_zero():
    curvatures = []
    for name in DISTILL_LOSSES:
        margin = column(0.0).requires_grad_(True)
        loss = DISTILL_LOSSES[name](column(0.0), margin).sum()
        (slope,) = torch.autograd.grad(loss, margin, create_graph=True)
        (curvature,) = torch.autograd.grad(slope.sum(), margin)
        curvatures.append(curvature.item())
    np.testing.assert_allclose(curvatures, 0.25)


def test_distillation_by_hand():
    margin = column(0.5, 0.5, 0.5)
    # label, teacher's margin, taught
    target = torch.tensor([[1, 3, 1], [1, 3, 0], [0, -2, 1]], dtype=torch.float64)
    bt = [math.log(1 + math.exp(-0.5))] * 2 + [math.log(1 + math.exp(0.5))]
    error = [(0.5 - 1.5) ** 2 / 8, None, (0.5 + 1) ** 2 / 8]
    loss = DistillationLoss(weight=0.25, loss="mse", temperature=2.0)(margin, target)
    expected = [
        0.75 * bt[0] + 0.25 * error[0],
        bt[1],  # not taught: the label keeps its full weight
        0.75 * bt[2] + 0.25 * error[2],
    ]
    np.testing.assert_allclose(loss[:, 0], expected, rtol=1e-12)


@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_distillation_at_its_ends(weight):
    margin, label, teacher = column(0.5, -1.0), column(1, 1), column(3.0, 0.1)
    target = torch.cat([label, teacher, torch.ones_like(label)], dim=1)
    alone = soft_bradley_terry(teacher, margin) if weight else bradley_terry(margin, label)
    torch.testing.assert_close(DistillationLoss(weight=weight)(margin, target), alone)


def test_weight_zero_never_reads_the_teacher():
    target = torch.tensor([[1.0, math.nan, 1.0]])
    assert torch.isfinite(DistillationLoss(weight=0.0)(torch.tensor([[0.5]]), target)).all()


def test_criterion_is_the_function():
    margin, target = column(0.5, -1.0), column(1, 0)
    torch.testing.assert_close(BradleyTerryLoss()(margin, target), bradley_terry(margin, target))
