#!/usr/bin/python3
"""Weights saved by PyTorch in several ways, opened by model-convert: the same numbers, embeddings and logits."""
import io
import os
import struct
import subprocess
import tempfile

import msgpack
import numpy
import torch
import torchvision

from weights import Published, Tap, prompts, read, write

BUILD = os.environ.get("BLADES_BUILD", "build")
TEXT = dict(layers=2, width=128, heads=2, context=77, vocabulary=400, output=64)
tap = Tap()


def convert(source, target, *options):
    done = subprocess.run([f"{BUILD}/bin/model-convert", *options, source, "-o", target], capture_output=True, text=True)
    return done.returncode, done.stderr


def same(ours, theirs):
    return ours.keys() == theirs.keys() and all(torch.equal(ours[k].double(), theirs[k].double()) for k in theirs)


def formats(folder, net):
    state = net.state_dict()
    flat = torch.cat([v.reshape(-1) for v in state.values() if v.dtype == torch.float32])
    shared, at = {}, 0
    for name, value in state.items():
        shared[name] = value
        if value.dtype == torch.float32:
            shared[name] = flat[at : at + value.numel()].view(value.shape)
            at += value.numel()
    transposed = {k: v.t().contiguous().t() if v.dim() == 2 else v for k, v in state.items()}
    optimizer = torch.optim.AdamW(net.parameters())
    saved = {
        "the published layout": {"epoch": 15, "model": state, "optimizer": optimizer.state_dict(), "lr_sched": {"T_max": 20}},
        "a state dict": state,
        "{'state_dict': ...} of DataParallel": {"state_dict": {"module." + k: v for k, v in state.items()}},
        "a doubled prefix with a classifier": {"model": {**{"model." + k: v for k, v in state.items()}, "fc1.weight": torch.ones(2, 3)}},
        "views of one storage": shared,
        "transposed strides": transposed,
        "parameters": {k: torch.nn.Parameter(v) if v.dtype == torch.float32 else v for k, v in state.items()},
    }
    source, target = f"{folder}/x.pt", f"{folder}/x.safetensors"
    for label, value in saved.items():
        for old in (False, True):
            torch.save(value, source, _use_new_zipfile_serialization=not old)
            status, text = convert(source, target, "--strict")
            tap.ok(status == 0 and same(read(target)[0], state), f"{label}, {'older format' if old else 'zip'}: the same numbers {text if status else ''}")
    for dtype in (torch.float16, torch.bfloat16, torch.float64):
        less = {k: v.to(dtype) if v.dtype == torch.float32 else v for k, v in state.items()}
        torch.save(less, source)
        status, _ = convert(source, target, "--strict")
        rounded = {k: v.to(dtype).float() if v.dtype == torch.float32 else v for k, v in state.items()}
        tap.ok(status == 0 and same(read(target)[0], rounded), f"{dtype}: the same numbers")
    write(f"{folder}/y.safetensors", {k: v.numpy() for k, v in state.items()})
    status, _ = convert(f"{folder}/y.safetensors", target, "--strict")
    tap.ok(status == 0 and same(read(target)[0], state), "safetensors without metadata: the same numbers")
    again = Published(resnet="resnet18", dim=32, **TEXT)
    again.load_state_dict(read(target)[0], strict=True)
    tap.ok(True, "load_state_dict(strict=True) takes the model file")


def zip64(source, target):
    """The archive with every size and offset in zip64's fields, as in files of more than 4 GiB."""
    data = open(source, "rb").read()
    end = data.rfind(b"PK\x05\x06")
    count, size, offset = struct.unpack("<HII", data[end + 10 : end + 20])
    directory, at = b"", offset
    while at < offset + size:
        entry = bytearray(data[at : at + 46])
        name, extra, comment = struct.unpack("<HHH", entry[28:34])
        packed, plain = struct.unpack("<II", entry[20:28])
        (header,) = struct.unpack("<I", entry[42:46])
        wide = struct.pack("<HHQQQ", 1, 24, plain, packed, header)
        entry[20:28], entry[42:46], entry[30:34] = b"\xff" * 8, b"\xff" * 4, struct.pack("<HH", len(wide), 0)
        directory += bytes(entry) + data[at + 46 : at + 46 + name] + wide
        at += 46 + name + extra + comment
    record = struct.pack("<4sQHHIIQQQQ", b"PK\x06\x06", 44, 45, 45, 0, 0, count, count, len(directory), offset)
    locator = struct.pack("<4sIQI", b"PK\x06\x07", 0, offset + len(directory), 1)
    last = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    open(target, "wb").write(data[:offset] + directory + record + locator + last)


def archives(folder, net):
    source, target = f"{folder}/x.pt", f"{folder}/x.safetensors"
    torch.save(net.state_dict(), source)
    zip64(source, f"{folder}/z.pt")
    status, text = convert(f"{folder}/z.pt", target, "--strict")
    tap.ok(status == 0 and same(read(target)[0], net.state_dict()), f"zip64: the same numbers {text if status else ''}")
    damaged = bytearray(open(source, "rb").read())
    damaged[len(damaged) // 2] ^= 1
    open(f"{folder}/z.pt", "wb").write(damaged)
    status, text = convert(f"{folder}/z.pt", target)
    tap.ok(status == 65 and "CRC" in text, "a flipped bit in a storage is found by its CRC")


def initial_values(folder):
    source, target = f"{folder}/x.pt", f"{folder}/x.safetensors"
    resnet = torchvision.models.resnet34()
    torch.save(resnet.state_dict(), source)
    status, _ = convert(source, target, "--strict")
    theirs = {"model.visual." + k: v for k, v in resnet.state_dict().items()}
    tap.ok(status == 0 and same(read(target)[0], theirs), "torchvision's names")
    status, text = convert(source, target, "--embedding-dim", "16")
    ours = read(target)[0]
    tap.ok(status == 0 and "fc.weight (is 1000x512, should be 16x512)" in text and "missing (drawn at random): 2" in text and
           torch.equal(ours["model.visual.layer1.0.conv1.weight"], theirs["model.visual.layer1.0.conv1.weight"]),
           "an fc of another size is reported, the rest is used")
    net = Published(resnet="resnet18", dim=32, **TEXT).model
    clip = {k: v.half() for k, v in net.state_dict().items() if not k.startswith(("visual", "text_fc"))}
    clip["visual.conv1.weight"] = torch.zeros(32, 3, 3, 3).half()
    clip["visual.attnpool.positional_embedding"] = torch.zeros(50, 64).half()
    torch.save(clip, source)
    status, text = convert(source, target, "--arch", "resnet18", "--embedding-dim", "32", "-v")
    ours = read(target)[0]
    wanted = {"model." + k: v.float() for k, v in clip.items() if not k.startswith("visual")}
    tap.ok(status == 0 and all(torch.equal(ours[k], v) for k, v in wanted.items()) and "visual.attnpool" in text,
           "CLIP's text part in half precision; its visual part is reported as unused")
    torch.jit.save(torch.jit.script(Scripted(clip)), f"{folder}/jit.pt")
    tap.ok("transformer.resblocks.0.attn.in_proj_weight" in subprocess.run(
        [f"{BUILD}/bin/model-convert", "--info", source], capture_output=True, text=True).stdout, "--info lists CLIP's names")
    info = subprocess.run([f"{BUILD}/bin/model-convert", "--info", f"{folder}/jit.pt"], capture_output=True, text=True).stdout
    tap.ok("positional_embedding\tF16\t77x128" in info, "--info reads a TorchScript archive, as CLIP's files are")


class Scripted(torch.nn.Module):
    def __init__(self, clip):
        super().__init__()
        self.positional_embedding = torch.nn.Parameter(clip["positional_embedding"])

    def forward(self, x):
        return x + self.positional_embedding


def embeddings(folder, net, label, dim):
    """The whole way: PyTorch's file, model-convert, embed; logits with the text features of text_probe."""
    from PIL import Image

    net.eval()
    pixels = (numpy.random.default_rng(5).random((3, 224, 224, 3)) * 255).astype("u1")
    pixels[1] = numpy.linspace(0, 255, 224).astype("u1")[None, :, None]
    files = []
    for i, image in enumerate(pixels):
        files.append(f"{folder}/{i}.png")
        Image.fromarray(image).save(files[-1])
    torch.save({"epoch": 1, "model": net.state_dict()}, f"{folder}/e.pt")
    convert(f"{folder}/e.pt", f"{folder}/e.safetensors")
    stream = subprocess.run([f"{BUILD}/bin/embed", "-m", f"{folder}/e.safetensors", *files], capture_output=True, check=True).stdout
    records = [r for r in msgpack.Unpacker(io.BytesIO(stream), raw=False) if r["type"] == "embedding"]
    ours = torch.tensor(numpy.array([numpy.frombuffer(r["vector"], "<f4") for r in records]))
    mean = torch.tensor([0.48145466, 0.4578275, 0.40821073]).view(1, 3, 1, 1)
    std = torch.tensor([0.26862954, 0.26130258, 0.27577711]).view(1, 3, 1, 1)
    with torch.no_grad():
        x = (torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255 - mean) / std
        image = torch.nn.functional.normalize(net.model.visual(x), dim=1)
        tap.ok(float((ours - image).abs().max()) <= 1e-4, f"{label}: embeddings within 1e-4 ({float((ours - image).abs().max()):.1e})")
        sequences, padded = prompts(20, TEXT["vocabulary"], 77, torch.Generator().manual_seed(3))
        start = numpy.cumsum([0] + [len(s) for s in sequences]).astype("<i4")
        ids = numpy.array([i for s in sequences for i in s], "<i4")
        write(f"{folder}/in.safetensors", {"start": start, "ids": ids, "dfeatures": numpy.zeros((20, dim), "<f4")})
        subprocess.run([f"{BUILD}/parity/text_probe", f"{folder}/e.safetensors", f"{folder}/in.safetensors", f"{folder}/out.safetensors"], check=True)
        text = torch.nn.functional.normalize(read(f"{folder}/out.safetensors")[0]["features"], dim=1)
        theirs = net.model.logit_scale.exp() * image @ torch.nn.functional.normalize(net.model.encode_text(padded), dim=1).t()
        logits = net.model.logit_scale.exp() * ours @ text.t()
        tap.ok(float((logits - theirs).abs().max()) <= 1e-4, f"{label}: logits within 1e-4 ({float((logits - theirs).abs().max()):.1e})")


torch.manual_seed(11)
with tempfile.TemporaryDirectory() as folder:
    formats(folder, Published(resnet="resnet18", dim=32, **TEXT))
    archives(folder, Published(resnet="resnet18", dim=32, **TEXT))
    initial_values(folder)
    for resnet, dim in (("resnet18", 32), ("resnet50", 768)):
        embeddings(folder, Published(resnet=resnet, dim=dim, **TEXT), resnet, dim)
tap.exit()
