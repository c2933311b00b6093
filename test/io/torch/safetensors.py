# Reads and writes safetensors files with PyTorch, without the package of that name.
import json
import struct

import torch

TYPES = {"F32": torch.float32, "F16": torch.float16, "I64": torch.int64}


def save(path, state):
    names = {dtype: name for name, dtype in TYPES.items()}
    header, body = {"__metadata__": {"format": "pt"}}, []
    end = 0
    for name, x in state.items():
        data = x.contiguous().numpy().tobytes()
        header[name] = {"dtype": names[x.dtype], "shape": list(x.shape), "data_offsets": [end, end + len(data)]}
        body.append(data)
        end += len(data)
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(body))


def load(path):
    with open(path, "rb") as file:
        data = bytearray(file.read())
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    header.pop("__metadata__", None)
    body = data[8 + length :]
    state = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        state[name] = torch.frombuffer(body, dtype=TYPES[entry["dtype"]], offset=begin, count=(end - begin) // 4)
        state[name] = state[name].reshape(entry["shape"])
    return state
