#!/usr/bin/python3
"""The text transformer on a trie of prompts against PyTorch's on 77 padded tokens each: features in float32, gradients and
directional derivatives against float64."""
import os
import subprocess
import tempfile

import numpy
import torch

from weights import Published, Tap, prompts, read, write

BUILD = os.environ.get("BLADES_BUILD", "build")


def probe(folder, sequences, dfeatures):
    start = numpy.cumsum([0] + [len(s) for s in sequences]).astype("<i4")
    ids = numpy.array([i for s in sequences for i in s], "<i4")
    write(f"{folder}/in.safetensors", {"start": start, "ids": ids, "dfeatures": dfeatures.float().numpy()})
    names = ["model.pt", "in.safetensors", "out.safetensors", "tangent.pt"]
    subprocess.run([f"{BUILD}/parity/text_probe"] + [f"{folder}/{name}" for name in names], check=True)
    return read(f"{folder}/out.safetensors")[0]


def compare(tap, label, **options):
    torch.manual_seed(7)
    net = Published(resnet="resnet18", dim=48, **options).double()
    tangent = {k: 0.02 * torch.randn_like(v) if v.dtype == torch.float64 else v for k, v in net.state_dict().items()}
    text = [k for k, _ in net.named_parameters() if "visual" not in k]
    sequences, padded = prompts(40, options["vocabulary"], options["context"], torch.Generator().manual_seed(3))
    # Both sides start from the same float32 numbers.
    for values in (net.state_dict(), tangent):
        for value in values.values():
            if value.dtype == torch.float64:
                value.copy_(value.float().double())
    with tempfile.TemporaryDirectory() as folder:
        torch.save({k: v.float() if v.dtype == torch.float64 else v for k, v in net.state_dict().items()}, f"{folder}/model.pt")
        torch.save({k: v.float() if v.dtype == torch.float64 else v for k, v in tangent.items()}, f"{folder}/tangent.pt")
        dfeatures = torch.randn(40, 48).double()
        ours = probe(folder, sequences, dfeatures)
    features = net.model.encode_text(padded)
    tap.near(ours["features"], features, 2e-6, f"{label}: features")
    features.backward(dfeatures)
    parameters = dict(net.named_parameters())
    for name in text:
        gradient = parameters[name].grad
        gradient = torch.zeros_like(parameters[name]) if gradient is None else gradient
        if name.endswith("logit_scale"):
            continue
        tap.near(ours[name], gradient, 2e-5, f"{label}: gradient of {name}")
    h, moved = 1e-6, []
    with torch.no_grad():
        for sign in (1, -1):
            for name in text:
                parameters[name] += sign * h * tangent[name]
            moved.append(net.model.encode_text(padded))
            for name in text:
                parameters[name] -= sign * h * tangent[name]
    tap.near(ours["jvp"], (moved[0] - moved[1]) / (2 * h), 1e-5, f"{label}: derivative along a direction")


tap = Tap()
compare(tap, "3 layers of width 64", layers=3, width=64, heads=1, context=77, vocabulary=500, output=96)
compare(tap, "2 layers of width 192", layers=2, width=192, heads=3, context=77, vocabulary=300, output=64)
compare(tap, "1 layer of width 40", layers=1, width=40, heads=1, context=20, vocabulary=37, output=24)
tap.exit()
