"""PyTorch on the CPU: the tasks of tasks.ts, images channels first as PyTorch has them."""
import argparse
import json
import re
import resource
import time

import torch
from pytorch_nets import NETS, Compressed, fill, images_of
from torch.nn.functional import conv2d, cross_entropy, max_pool2d

parser = argparse.ArgumentParser()
parser.add_argument("--only", default="")
parser.add_argument("--seconds", type=float, default=0.3)
parser.add_argument("--least", type=int, default=3)
parser.add_argument("--threads", type=int, default=1)
parser.add_argument("--channels-last", action="store_true")
args = parser.parse_args()
torch.set_num_threads(args.threads)
torch.manual_seed(1)
with open("/proc/self/maps", encoding="utf8") as maps:
    blas = "OpenBLAS" if "openblas" in maps.read() else "reference BLAS"
print(json.dumps({"version": f"{torch.__version__}, {blas}"}), flush=True)


# Milliseconds of all cores' work if one thread is asked for, else of the wall: see program.ts.
clock = time.process_time if args.threads == 1 else time.perf_counter


def wanted(name):
    return re.search(args.only, name)


def measure(name, fn, facts={}):
    if not wanted(name):
        return
    try:
        for _ in range(args.least):
            fn()
        times = []
        end = clock() + args.seconds
        while len(times) < args.least or clock() < end:
            began = clock()
            fn()
            times.append(1000 * (clock() - began))
        times.sort()
        figures = {"median": times[len(times) // 2], "min": times[0], "max": times[-1], "runs": len(times)}
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # MB, of the process so far
        print(json.dumps({"name": name, **figures, "peak": peak, **facts}), flush=True)
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


def convolution(name, weight, groups=1):
    x, dy = torch.randn(32, 64, 32, 32, requires_grad=True), torch.randn(32, 64, 32, 32)
    with torch.no_grad():
        measure(f"{name}, forward", lambda: conv2d(x, weight, padding=1, groups=groups))
    gradients = lambda: torch.autograd.grad(conv2d(x, weight, padding=1, groups=groups), (x, weight), dy)
    measure(f"{name}, forward and backward", gradients)


convolution("conv 32×32×32×64, 3×3×64×64", torch.randn(64, 64, 3, 3, requires_grad=True))
convolution("depthwise 32×32×32×64, 3×3", torch.randn(64, 1, 3, 3, requires_grad=True), groups=64)


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


def update_of(model, optimizer, images):
    """Returns a function that does a training step and returns the loss."""
    labels = torch.arange(len(images)) % 10

    def update():
        optimizer.zero_grad(set_to_none=True)
        loss = cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
        return loss.item()

    return update


def training(name, batch, height, width, channels, d=0, r=0):
    if not wanted(name):
        return
    model, parameters = network(height, width, channels, d, r)
    measure(name, update_of(model, torch.optim.Adam(parameters, lr=1e-4), torch.randn(batch, channels, height, width)))


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


def net_task(net, batch, kind):
    name = f"{net}, {'inference' if kind == 'inference' else kind + 'training step'}, batch {batch}"
    if not wanted(name):
        return
    layout = {"memory_format": torch.channels_last} if args.channels_last else {}
    model, images = fill(NETS[net][0]()).to(**layout), images_of(net, batch).contiguous(**layout)
    if kind == "inference":
        with torch.inference_mode():
            model.eval()
            facts = {"parameters": sum(p.numel() for p in model.parameters()), "results": model(images).flatten().tolist()}
            measure(name, lambda: model(images), facts)
        return
    model = Compressed(model, 0.1) if kind == "SMH 0.1, " else model
    update = update_of(model, torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9), images)
    facts = {"parameters": sum(p.numel() for p in model.parameters())}
    measure(name, update, facts if kind == "SMH 0.1, " else {**facts, "results": [update(), update()]})


for net in NETS:
    for kind in ("", "SMH 0.1, "):
        for batch in (32, 128):
            net_task(net, batch, kind)
    for batch in (1, 64):
        net_task(net, batch, "inference")
