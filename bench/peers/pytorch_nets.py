"""The networks of tasks.ts in PyTorch, channels first, with torchvision's padding, epsilon and activations in place."""
import math

import numpy
import torch
from torch import nn
from torch.nn.functional import pad
from torch.nn.utils.stateless import functional_call


def conv_norm(channels, filters, size, stride=1, activation=None, groups=1):
    layers = [nn.Conv2d(channels, filters, size, stride, size // 2, groups=groups, bias=False), nn.BatchNorm2d(filters)]
    return nn.Sequential(*layers, *([] if activation is None else [activation(inplace=True)]))


class BasicBlock(nn.Module):
    def __init__(self, channels, filters, stride):
        super().__init__()
        self.branch = nn.Sequential(conv_norm(channels, filters, 3, stride, nn.ReLU), conv_norm(filters, filters, 3))
        self.relu = nn.ReLU(inplace=True)
        self.stride, self.zeros = stride, (filters - channels) // 2

    def forward(self, x):
        shortcut = x
        if self.stride > 1:
            shortcut = pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, self.zeros, self.zeros))
        return self.relu(self.branch(x) + shortcut)


class SqueezeExcite(nn.Module):
    def __init__(self, channels, squeezed):
        super().__init__()
        steps = [nn.Conv2d(channels, squeezed, 1), nn.SiLU(inplace=True), nn.Conv2d(squeezed, channels, 1), nn.Sigmoid()]
        self.gate = nn.Sequential(nn.AdaptiveAvgPool2d(1), *steps)

    def forward(self, x):
        return x * self.gate(x)


class InvertedResidual(nn.Module):
    def __init__(self, channels, expanded, filters, size, stride, activation, squeezed=0):
        super().__init__()
        expand = [] if expanded == channels else [conv_norm(channels, expanded, 1, 1, activation)]
        squeeze = [] if squeezed == 0 else [SqueezeExcite(expanded, squeezed)]
        depthwise = conv_norm(expanded, expanded, size, stride, activation, expanded)
        self.branch = nn.Sequential(*expand, depthwise, *squeeze, conv_norm(expanded, filters, 1))
        self.joins = stride == 1 and channels == filters

    def forward(self, x):
        return x + self.branch(x) if self.joins else self.branch(x)


def classifier(channels):
    return [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 10)]


def resnet20():
    blocks, channels = [], 16
    for filters in (16, 32, 64):
        for index in range(3):
            blocks.append(BasicBlock(channels, filters, 2 if index == 0 and filters > 16 else 1))
            channels = filters
    return nn.Sequential(conv_norm(1, 16, 3, 1, nn.ReLU), *blocks, *classifier(64))


def mobile(rows, stem, last, activation, squeeze):
    """Rows: expansion, kernel size, channels, blocks, stride of the first block."""
    blocks, channels = [], stem
    for expansion, size, filters, repeats, stride in rows:
        for index in range(repeats):
            step, squeezed = stride if index == 0 else 1, channels // 4 if squeeze else 0
            blocks.append(InvertedResidual(channels, channels * expansion, filters, size, step, activation, squeezed))
            channels = filters
    ends = conv_norm(3, stem, 3, 2, activation), conv_norm(channels, last, 1, 1, activation)
    return nn.Sequential(ends[0], *blocks, ends[1], *classifier(last))


def mobilenet_v2_half():
    rows = [(1, 8, 1, 1), (6, 16, 2, 2), (6, 16, 3, 2), (6, 32, 4, 2), (6, 48, 3, 1), (6, 80, 3, 2), (6, 160, 1, 1)]
    return mobile([(t, 3, c, n, s) for t, c, n, s in rows], 16, 1280, nn.ReLU6, squeeze=False)


def efficientnet_b0():
    rows = [(1, 3, 16, 1, 1), (6, 3, 24, 2, 2), (6, 5, 40, 2, 2), (6, 3, 80, 3, 2), (6, 5, 112, 3, 1), (6, 5, 192, 4, 2)]
    return mobile([*rows, (6, 3, 320, 1, 1)], 32, 1280, nn.SiLU, squeeze=True)


# Height, width and channels of the images.
NETS = {
    "ResNet-20": (resnet20, (28, 28, 1)),
    "MobileNetV2 ×0.5": (mobilenet_v2_half, (32, 32, 3)),
    "EfficientNet-B0": (efficientnet_b0, (64, 64, 3)),
}


class Compressed(nn.Module):
    """A network whose kernels and matrices are slices of one product left · right, each times a learned number (SMH)."""

    def __init__(self, model, fraction):
        super().__init__()
        self.model = [model]  # a list hides it from parameters()
        kernels = [(name, p.shape) for name, p in model.named_parameters() if p.dim() > 1]
        self.names, self.shapes = zip(*kernels)
        self.sizes = [shape.numel() for shape in self.shapes]
        n = math.ceil(math.sqrt(sum(self.sizes)))
        r = int(0.5 * fraction * sum(self.sizes) / n)
        self.left, self.right = nn.Parameter(torch.randn(n, r) / r**0.25), nn.Parameter(torch.randn(r, n) / r**0.25)
        self.scales = nn.ParameterList(nn.Parameter(torch.tensor(1 / math.sqrt(shape[1:].numel()))) for shape in self.shapes)
        self.others = nn.ParameterList(p for p in model.parameters() if p.dim() == 1)

    def forward(self, images):
        slices = (self.left @ self.right).flatten()[: sum(self.sizes)].split(self.sizes)
        weights = [part.view(shape) * scale for part, shape, scale in zip(slices, self.shapes, self.scales)]
        return functional_call(self.model[0], dict(zip(self.names, weights)), (images,))


def numbers(*shape):
    """The numbers of program.ts, all states of the generator at once."""
    powers = numpy.cumprod(numpy.full(math.prod(shape), 1_103_515_245, numpy.uint32), dtype=numpy.uint32)
    sums = numpy.cumsum(numpy.concatenate(([1], powers[:-1])), dtype=numpy.uint32)
    state = powers + numpy.uint32(12_345) * sums
    return torch.from_numpy(((state >> 8) / 2**23 - 1).astype(numpy.float32)).view(shape)


def images_of(name, batch):
    return numbers(batch, *NETS[name][1]).permute(0, 3, 1, 2).contiguous()


def fill(model):
    """The starting values of program.ts, in the layouts of hashgrad: kernels [height, width, in, out], matrices [in, out]."""
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                u = numbers(module.num_features)
                for tensor, value in ((module.weight, 1 + u / 4), (module.bias, u / 4), (module.running_mean, u / 4)):
                    tensor.copy_(value)
                module.running_var.copy_(1 + u / 2)
            elif isinstance(module, (nn.Conv2d, nn.Linear)):
                outputs, inputs, *sides = module.weight.shape
                depthwise = sides and inputs == 1 and outputs == module.in_channels > 1
                u = numbers(*sides, *((outputs, inputs) if depthwise else (inputs, outputs)))
                axes = (2, 3, 0, 1) if depthwise else (3, 2, 0, 1) if sides else (1, 0)
                module.weight.copy_(u.permute(axes) * 2.8 / math.sqrt(module.weight[0].numel()))
                if module.bias is not None:
                    module.bias.copy_(numbers(outputs) / 4)
    return model
