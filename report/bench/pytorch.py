"""Contender: PyTorch, eager, in channels_last, or through torch.compile."""

import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torch.nn.utils.parametrizations import weight_norm

from report.bench.protocol import (
    EPSILON,
    LEARNING_RATE,
    MOMENTUM,
    OLD_SHARE,
    Make,
    Problem,
    Train,
    serve,
    timed,
)


def build(spec: dict, problem: Problem) -> Make:
    """Blocks are passes over the images in the block's order."""
    if spec["threads"]:
        torch.set_num_threads(spec["threads"])
    variant = spec["options"]["variant"]
    images = torch.from_numpy(problem.images).permute(0, 3, 1, 2).contiguous()
    labels = torch.from_numpy(problem.labels).long()

    def make(norm: str) -> Train:
        model = network(norm, problem, last=variant != "eager")
        if variant == "compile":
            model = torch.compile(model)
        sgd = torch.optim.SGD(model.parameters(), LEARNING_RATE, MOMENTUM, fused=True)

        def step(rows: torch.Tensor) -> torch.Tensor:
            loss = cross_entropy(model(images[rows]), labels[rows])
            sgd.zero_grad()
            loss.backward()
            sgd.step()
            return loss.detach()

        return timed(lambda block: map(step, torch.from_numpy(problem.minibatches(block))))

    return make


def network(norm: str, problem: Problem, last: bool) -> nn.Sequential:
    """The lab's network with the problem's weights, images (N, 1, 28, 28) to logits (N, 10).

    With channels last in memory, LN and the hidden layer read them last: nothing is copied.
    """
    conv, hidden, output = nn.Conv2d(1, 30, 5, padding=2), nn.Linear(5880, 100), nn.Linear(100, 10)
    units = problem.hidden.reshape(14, 14, 30, 100)
    units = (units if last else units.transpose(2, 0, 1, 3)).reshape(5880, 100)
    fill(conv, problem.conv.transpose(3, 2, 0, 1), problem.conv_bias)
    fill(hidden, units.T, problem.hidden_bias)
    fill(output, problem.output.T, problem.output_bias)
    if norm == "WN":
        conv, hidden, output = map(weight_norm, (conv, hidden, output))
    model = nn.Sequential(
        conv, *normalization(norm, last), nn.ReLU(), nn.MaxPool2d(2),
        *([Permute(0, 2, 3, 1)] if last else []), nn.Flatten(), hidden, nn.ReLU(), output,
    )  # fmt: skip
    return model.to(memory_format=torch.channels_last) if last else model


def normalization(norm: str, last: bool) -> list[nn.Module]:
    """What stands between the convolution and its ReLU."""
    if norm == "BN":
        return [nn.BatchNorm2d(30, EPSILON, momentum=1 - OLD_SHARE)]
    if norm == "LN per channel":
        return [nn.GroupNorm(1, 30, EPSILON)]
    if norm == "LN" and last:
        return [Permute(0, 2, 3, 1), nn.LayerNorm([28, 28, 30], EPSILON), Permute(0, 3, 1, 2)]
    return [nn.LayerNorm([30, 28, 28], EPSILON)] if norm == "LN" else []


class Permute(nn.Module):
    """Another view of the axes."""

    def __init__(self, *axes: int):
        super().__init__()
        self.axes = axes

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.permute(self.axes)


@torch.no_grad()
def fill(layer: nn.Module, weight, bias) -> None:
    """Copy the values into the layer's parameters."""
    layer.weight.copy_(torch.tensor(weight))
    layer.bias.copy_(torch.tensor(bias))


if __name__ == "__main__":
    serve(build)
