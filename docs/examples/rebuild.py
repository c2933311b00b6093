"""Rebuilds the weights of a compressed model from its file, with NumPy alone: python3 rebuild.py model.safetensors out.npz

Reads product, Kronecker and hash pools with any index store, and the modifiers "initializer scale" (the default of
VariableFactory) and "none". The file does not hold the shapes of variables in a pool: they are flat, row by row.
"""
import json
import struct
import sys

import numpy as np

TYPES = {"F32": "<f4", "F16": "<f2", "BF16": "<u2", "I8": "<i1"}


def read(path):
    """The tensors of a safetensors file as float32 arrays, and its metadata."""
    with open(path, "rb") as file:
        data = file.read()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    metadata = header.pop("__metadata__", {})
    tensors = {}
    for name, entry in header.items():
        begin, end = (8 + length + at for at in entry["data_offsets"])
        x = np.frombuffer(data[begin:end], TYPES[entry["dtype"]])
        if entry["dtype"] == "BF16":  # the upper half of a float32
            x = (x.astype("<u4") << 16).view("<f4")
        tensors[name] = x.astype(np.float32).reshape(entry["shape"])
    if metadata.get("dtype") == "int8":  # one scale for each row
        for name in [name for name in tensors if name.endswith(":scales")]:
            tensors[name[: -len(":scales")]] *= tensors.pop(name)[..., None]
    return tensors, metadata


def virtual(kind, core):
    """The weights of a pool as a function of a range, from the pool's own numbers."""
    if kind == "hash":
        (numbers,) = core
        return lambda begin, length: numbers[(begin + np.arange(length)) % len(numbers)]
    left, right = core
    if kind == "product":
        whole = left @ right
    elif kind == "kronecker":
        whole = sum(np.kron(a, b) for a, b in zip(left, right))
    else:
        raise ValueError(f"a pool of the kind {kind} is not known here")
    return lambda begin, length: whole.ravel()[begin : begin + length]


def weights(path):
    """All weights of a model by name. Those of a pool are flat."""
    tensors, metadata = read(path)
    found = {name: x for name, x in tensors.items() if not name.startswith("optimizer/")}
    for end in [key[len("pool") :] for key in metadata if key == "pool" or key.startswith("pool_")]:
        record = {name: json.loads(metadata[name + end]) for name in ("pool", "core", "placements", "initializers")}
        part = virtual(record["pool"]["kind"], [found.pop(name) for name in record["core"]])
        for name, (ranges,) in record["placements"].items():
            # A range that begins at -1 lies past the end of a pool with a padding store.
            parts = [
                np.full(one["length"], 0.01, np.float32) if one["begin"] < 0 else part(one["begin"], one["length"])
                for one in ranges
            ]
            x = np.concatenate(parts or [np.zeros(0, np.float32)])
            if metadata["modifier" + end] == "initializer scale":
                mean, deviation = record["initializers"][name]
                x = x * found.pop(name + "/scale") * ((deviation or 0.01) / record["pool"]["stddev"]) + (mean or 0)
            elif metadata["modifier" + end] != "none":
                raise ValueError(f"the modifier {metadata['modifier' + end]} is not known here")
            found[name] = x.astype(np.float32)
    return found


if __name__ == "__main__":
    np.savez(sys.argv[2], **weights(sys.argv[1]))
