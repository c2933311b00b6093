# Writes the files of this folder by torchvision 0.14.1 and PyTorch 1.13: python3 make.py
import hashlib
import json
import os
import sys

import torch
import torchvision

here = os.path.dirname(os.path.abspath(__file__))
sys.path.append(os.path.join(here, "../../io/torch"))
from safetensors import save  # noqa: E402

models = torchvision.models


def small(name, model, image):
    """Saves a network of random weights in float16. Returns its logits for an image, computed in float64."""
    model.eval()
    with torch.no_grad():
        for key, x in model.state_dict().items():
            if x.ndim > 1:
                x.copy_(torch.randn_like(x) * (2 / x[0].numel()) ** 0.5)
            elif key.endswith(("running_mean", "bias")):
                x.copy_(0.2 * torch.randn_like(x))
            elif key.endswith(("running_var", "weight")):
                x.copy_(0.5 + torch.rand_like(x))
    model.half()
    save(os.path.join(here, name + ".safetensors"), model.state_dict())
    with torch.no_grad():
        return {"shape": list(image.permute(0, 2, 3, 1).shape), "logits": model.double()(image.double()).flatten().tolist()}


def image(side):
    """NHWC number i is sin(i), as NCHW."""
    return torch.sin(torch.arange(2 * side * side * 3, dtype=torch.float64)).float().reshape(2, side, side, 3).permute(0, 3, 1, 2)


torch.manual_seed(1)
logits = {"mobilenet_v3_small": small("mobilenet_v3_small", models.mobilenet_v3_small(width_mult=0.03, num_classes=3), image(40))}
names = {}
for name in "resnet18 resnet50 mobilenet_v2 mobilenet_v3_small mobilenet_v3_large efficientnet_b0 efficientnet_b1".split():
    state = getattr(models, name)().state_dict()
    rows = sorted(f"{k} [{', '.join(map(str, x.shape))}]" for k, x in state.items() if not k.endswith("num_batches_tracked"))
    names[name] = {"count": len(rows), "sha256": hashlib.sha256("\n".join(rows).encode()).hexdigest()}
with open(os.path.join(here, "torch.json"), "w") as file:
    json.dump({"logits": logits, "names": names}, file, indent=1)
