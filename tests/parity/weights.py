"""Safetensors files read and written from their description, and a joint model in PyTorch written from METHOD.md's names;
what the parity tests of models share."""
import json
import struct

import numpy
import torch
import torchvision

TYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "U8": "u1"}


def read(path):
    data = open(path, "rb").read()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    metadata = header.pop("__metadata__", {})
    tensors = {}
    for name, entry in header.items():
        first, last = entry["data_offsets"]
        values = numpy.frombuffer(data[8 + length + first : 8 + length + last], TYPES[entry["dtype"]])
        tensors[name] = torch.from_numpy(values.reshape(entry["shape"]).copy())
    return tensors, metadata


def write(path, tensors, metadata=None):
    header, blocks, offset = {}, [], 0
    if metadata:
        header["__metadata__"] = metadata
    for name, value in tensors.items():
        array = numpy.ascontiguousarray(value)
        dtype = {numpy.dtype(v): k for k, v in TYPES.items()}[array.dtype]
        header[name] = {"dtype": dtype, "shape": list(value.shape), "data_offsets": [offset, offset + array.nbytes]}
        offset += array.nbytes
        blocks.append(array.tobytes())
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(blocks))


class QuickGELU(torch.nn.Module):
    def forward(self, x):
        return x * torch.sigmoid(1.702 * x)


class Block(torch.nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.attn = torch.nn.MultiheadAttention(width, heads)
        self.ln_1 = torch.nn.LayerNorm(width)
        self.mlp = torch.nn.Sequential()
        self.mlp.add_module("c_fc", torch.nn.Linear(width, 4 * width))
        self.mlp.add_module("gelu", QuickGELU())
        self.mlp.add_module("c_proj", torch.nn.Linear(4 * width, width))
        self.ln_2 = torch.nn.LayerNorm(width)

    def forward(self, x):
        n = x.shape[0]
        mask = torch.full((n, n), float("-inf"), dtype=x.dtype).triu(1)
        y = self.ln_1(x)
        x = x + self.attn(y, y, y, need_weights=False, attn_mask=mask)[0]
        return x + self.mlp(self.ln_2(x))


class Joint(torch.nn.Module):
    """The image encoder of torchvision beside CLIP's text transformer."""

    def __init__(self, visual, dim, layers=3, width=64, heads=2, context=77, vocabulary=500, output=96):
        super().__init__()
        self.visual = visual
        self.positional_embedding = torch.nn.Parameter(0.1 * torch.randn(context, width))
        self.text_projection = torch.nn.Parameter(width**-0.5 * torch.randn(width, output))
        self.logit_scale = torch.nn.Parameter(torch.tensor(2.6593))
        self.transformer = torch.nn.Module()
        self.transformer.resblocks = torch.nn.Sequential(*[Block(width, heads) for _ in range(layers)])
        self.token_embedding = torch.nn.Embedding(vocabulary, width)
        self.ln_final = torch.nn.LayerNorm(width)
        self.text_fc = torch.nn.Linear(output, dim)
        for name, parameter in self.named_parameters():
            if "resblocks" in name or "ln_final" in name:
                parameter.data += 0.1 * torch.randn_like(parameter)

    def encode_text(self, tokens):
        x = self.token_embedding(tokens) + self.positional_embedding
        x = self.transformer.resblocks(x.permute(1, 0, 2)).permute(1, 0, 2)
        x = self.ln_final(x)
        x = x[torch.arange(len(tokens)), tokens.argmax(-1)] @ self.text_projection
        return self.text_fc(x)


class Published(torch.nn.Module):
    """As the published program nests it: every name begins with "model."."""

    def __init__(self, **options):
        super().__init__()
        dim, resnet = options.pop("dim"), options.pop("resnet")
        visual = getattr(torchvision.models, resnet)(num_classes=dim)
        for name, buffer in visual.named_buffers():
            if name.endswith("running_mean"):
                buffer.copy_(0.1 * torch.randn_like(buffer))
            if name.endswith("running_var"):
                buffer.copy_(0.5 + torch.rand_like(buffer))
            if name.endswith("num_batches_tracked"):
                buffer.fill_(17)
        self.model = Joint(visual, dim, **options)


def prompts(count, vocabulary, context, generator):
    """Token sequences that share beginnings, one of them another's beginning with its end token, one as long as the context."""
    sequences = [[vocabulary - 2, 1, 2, vocabulary - 1], [vocabulary - 2, 1, 2, 3, vocabulary - 1]]
    while len(sequences) < count:
        before = sequences[int(torch.randint(len(sequences), (1,), generator=generator))][:-1]
        keep = int(torch.randint(1, len(before) + 1, (1,), generator=generator))
        more = torch.randint(0, vocabulary - 2, (int(torch.randint(1, 9, (1,), generator=generator)),), generator=generator)
        sequences.append((before[:keep] + more.tolist())[: context - 1] + [vocabulary - 1])
    filler = torch.randint(0, vocabulary - 2, (context - 2,), generator=generator).tolist()
    sequences[-1] = [vocabulary - 2] + filler + [vocabulary - 1]
    padded = torch.zeros(count, context, dtype=torch.long)
    for i, sequence in enumerate(sequences):
        padded[i, : len(sequence)] = torch.tensor(sequence)
    return sequences, padded


class Tap:
    def __init__(self):
        self.count = self.failed = 0

    def ok(self, good, name):
        self.count += 1
        self.failed += not good
        print(f"{'ok' if good else 'not ok'} {self.count} - {name}", flush=True)

    def near(self, ours, theirs, tolerance, name):
        """The largest difference, relative to the largest number."""
        error = float((ours.double() - theirs.double()).abs().max() / theirs.double().abs().max().clamp_min(1e-30))
        self.ok(error <= tolerance and bool(torch.isfinite(ours).all()), f"{name} (relative difference {error:.1e})")

    def exit(self):
        print(f"1..{self.count}")
        raise SystemExit(1 if self.failed else 0)
