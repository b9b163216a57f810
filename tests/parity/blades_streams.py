"""What parity scripts share: batch streams and safetensors, written and read without the tools under test."""
import json
import struct

import msgpack
import numpy as np


def write_stream(path, kind, header, records):
    with open(path, "wb") as out:
        pack = lambda value: out.write(msgpack.packb(value, use_bin_type=True))
        pack({"type": "header", "blades": 1, "kind": kind, "provenance": [], **header})
        for record in records:
            pack({"type": kind, **record})
        pack({"type": "trailer", "records": len(records), "errors": 0})


def write_safetensors(path, tensors, metadata=None):
    header, offset, parts = {}, 0, []
    if metadata:
        header["__metadata__"] = metadata
    for name in sorted(tensors):
        data = np.ascontiguousarray(tensors[name], dtype="<f4").tobytes()
        header[name] = {"dtype": "F32", "shape": list(np.shape(tensors[name])),
                        "data_offsets": [offset, offset + len(data)]}
        offset += len(data)
        parts.append(data)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as out:
        out.write(struct.pack("<Q", len(text)) + text + b"".join(parts))


def read_safetensors(path):
    """Arrays by name (those of floating type as float64), and the metadata."""
    types = {"F32": "<f4", "F64": "<f8", "I64": "<i8", "I32": "<i4", "F16": "<f2", "U8": "u1"}
    data = open(path, "rb").read()
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + size])
    metadata = header.pop("__metadata__", {})
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        array = np.frombuffer(data[8 + size + begin:8 + size + end], types[entry["dtype"]])
        tensors[name] = array.reshape(entry["shape"]).astype(np.float64)
    return tensors, metadata
