# fill.py golden.json out.safetensors: the numbers of a golden model, by the formula of test/goldens/models/README.md, saved by PyTorch.
import json
import sys

import numpy as np
import torch
from safetensors import save


def fnv1a(text):
    h = 0x811C9DC5
    for byte in text.encode():
        h = ((h ^ byte) * 0x01000193) & 0xFFFFFFFF
    return np.uint32(h)


def fmix32(h):
    h = (h ^ (h >> 16)) * np.uint32(0x85EBCA6B)
    h = (h ^ (h >> 13)) * np.uint32(0xC2B2AE35)
    return h ^ (h >> 16)


def filled(name, shape, scale, offset, **_):
    i = np.arange(int(np.prod(shape)), dtype=np.uint32)
    u = (fmix32(fmix32(i) + fnv1a(name)) >> 8).astype(np.float64) * 2.0**-23 - 1
    return torch.from_numpy((offset + scale * u).astype(np.float32).reshape(shape))


golden = json.load(open(sys.argv[1]))
state = {one["name"]: filled(**one) for one in golden["parameters"] + golden["statistics"]}
for name in [name for name in state if name.endswith("running_mean")]:
    state[name.replace("running_mean", "num_batches_tracked")] = torch.tensor(7)
save(sys.argv[2], state)
