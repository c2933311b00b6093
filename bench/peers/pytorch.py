"""PyTorch on the CPU: the tasks of tasks.ts, images channels first as PyTorch has them."""
import argparse
import json
import re
import time

import torch
from torch.nn.functional import conv2d, cross_entropy, max_pool2d

parser = argparse.ArgumentParser()
parser.add_argument("--only", default="")
parser.add_argument("--seconds", type=float, default=0.3)
parser.add_argument("--least", type=int, default=3)
parser.add_argument("--threads", type=int, default=1)
args = parser.parse_args()
torch.set_num_threads(args.threads)
torch.manual_seed(1)
with open("/proc/self/maps", encoding="utf8") as maps:
    blas = "OpenBLAS" if "openblas" in maps.read() else "reference BLAS"
print(json.dumps({"version": f"{torch.__version__}, {blas}"}), flush=True)


def measure(name, fn):
    if not re.search(args.only, name):
        return
    try:
        for _ in range(args.least):
            fn()
        times = []
        end = time.perf_counter() + args.seconds
        while len(times) < args.least or time.perf_counter() < end:
            began = time.perf_counter()
            fn()
            times.append(1000 * (time.perf_counter() - began))
        times.sort()
        print(json.dumps({"name": name, "median": times[len(times) // 2], "min": times[0], "max": times[-1], "runs": len(times)}), flush=True)
    except RuntimeError as error:
        print(json.dumps({"name": name, "error": str(error)}), flush=True)


def product(name, m, n, k, trans_a=False, trans_b=False):
    a = torch.rand(k, m).t() if trans_a else torch.rand(m, k)
    b = torch.rand(n, k).t() if trans_b else torch.rand(k, n)
    c = torch.empty(m, n)
    with torch.no_grad():
        measure(name, lambda: torch.mm(a, b, out=c))


for n in (64, 256, 512, 1024):
    product(f"gemm {n}³", n, n, n)
product("gemm 512³ aᵀ·b", 512, 512, 512, trans_a=True)
product("gemm 512³ a·bᵀ", 512, 512, 512, trans_b=True)
product("gemm 837×167·167×837", 837, 837, 167)
product("gemm 100352×25·25×16", 100352, 16, 25)

x = torch.randn(32, 64, 32, 32, requires_grad=True)
dy = torch.randn(32, 64, 32, 32)
kernel = torch.randn(64, 64, 3, 3, requires_grad=True)
channel_kernel = torch.randn(64, 1, 3, 3, requires_grad=True)


def both(weight, groups):
    torch.autograd.grad(conv2d(x, weight, padding=1, groups=groups), (x, weight), dy)


with torch.no_grad():
    measure("conv 32×32×32×64, 3×3×64×64, forward", lambda: conv2d(x, kernel, padding=1))
measure("conv 32×32×32×64, 3×3×64×64, forward and backward", lambda: both(kernel, 1))
measure("depthwise 32×32×32×64, 3×3, forward and backward", lambda: both(channel_kernel, 64))


def network(height, width, channels, d=0, r=0):
    """Returns the model and its parameters."""
    shapes = [(16, channels, 5, 5), (10, height // 2 * (width // 2) * 16)]
    sizes = [torch.Size(s).numel() for s in shapes]
    biases = [torch.zeros(16, requires_grad=True), torch.zeros(10, requires_grad=True)]
    if d == 0:
        kernels = [(0.05 * torch.randn(s)).requires_grad_() for s in shapes]
        parameters = [*kernels, *biases]
    else:
        left = (0.3 * torch.randn(d, r)).requires_grad_()
        right = (0.3 * torch.randn(r, d)).requires_grad_()
        scales = [torch.tensor(0.05, requires_grad=True) for _ in shapes]
        parameters = [left, right, *scales, *biases]
    rows = -(-sum(sizes) // d) if d else 0

    def weights():
        if d == 0:
            return kernels
        pool = (left[:rows] @ right).flatten()
        parts = (pool[: sizes[0]], pool[sizes[0] : sum(sizes)])
        return [part.view(s) * scale for part, s, scale in zip(parts, shapes, scales)]

    def model(images):
        first, second = weights()
        y = max_pool2d(torch.relu(conv2d(images, first, biases[0], padding=2)), 2)
        return torch.addmm(biases[1], y.flatten(1), second.t())

    return model, parameters


def training(name, batch, height, width, channels, d=0, r=0):
    if not re.search(args.only, name):
        return
    model, parameters = network(height, width, channels, d, r)
    optimizer = torch.optim.Adam(parameters, lr=1e-4)
    images, labels = torch.randn(batch, channels, height, width), torch.arange(batch) % 10

    def step():
        optimizer.zero_grad(set_to_none=True)
        loss = cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
        return loss.item()

    measure(name, step)


for batch in (128, 32):
    training(f"toy net, dense, training step, batch {batch}", batch, 28, 28, 1)
    training(f"toy net, SMH 0.4, training step, batch {batch}", batch, 28, 28, 1, 179, 35)
training("128×128 net, SMH 0.4, training step, batch 8", 8, 128, 128, 3, 837, 167)
model, _ = network(28, 28, 1)
with torch.no_grad():
    for batch in (1, 256):
        images = torch.randn(batch, 1, 28, 28)
        measure(f"toy net, inference, batch {batch}", lambda: model(images))

start = torch.tensor(1.0, requires_grad=True)


def scalars():
    y = start
    for _ in range(500):
        y = y * 1.0001 + 1e-4
    y.backward()


measure("1,000 scalar ops, forward and backward", scalars)
