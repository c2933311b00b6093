# run.py family kwargs.json in.safetensors: the logits of torchvision's model with the weights of a file, for two images of sin(i).
import json
import sys

import torch
import torchvision
from safetensors import load

model = getattr(torchvision.models, sys.argv[1])(**json.loads(sys.argv[2]))
model.load_state_dict(load(sys.argv[3]))  # strict
side = 40
image = torch.sin(torch.arange(2 * side * side * 3, dtype=torch.float64)).float().reshape(2, side, side, 3).permute(0, 3, 1, 2)
with torch.no_grad():
    print(json.dumps(model.eval().double()(image.double()).flatten().tolist()))
