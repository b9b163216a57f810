#!/usr/bin/python3
"""The image encoder against torchvision's ResNets in float64: features, gradients of every tensor, JVPs.
Prints TAP. Needs BLADES_BUILD/parity/encoder_probe."""
import os
import subprocess
import sys

try:
    import numpy as np
    import torch
    import torchvision
    from torch.nn.utils.stateless import functional_call
except ImportError as missing:
    print("ok 1 - the image encoder equals torchvision's # SKIP", missing)
    sys.exit(0)

PROBE = os.path.join(os.environ.get("BLADES_BUILD", "build"), "parity", "encoder_probe")
MEAN, STD, D = [0.48, 0.46, 0.41], [0.27, 0.26, 0.28], 24
failed = count = 0


def report(right, what):
    global failed, count
    count += 1
    failed += not right
    print("ok" if right else "not ok", count, "-", what, flush=True)


def distance(got, want):
    return float(np.linalg.norm(got - want) / (np.linalg.norm(want) + 1e-30))


def make(depth):
    """A network in float64 whose numbers are floats, with lively normalisations."""
    torch.manual_seed(depth)
    net = getattr(torchvision.models, "resnet%d" % depth)(num_classes=D)
    for name, tensor in net.state_dict().items():
        if name.endswith("running_mean") or name.endswith("bias"):
            tensor.normal_(0, 0.1)
        elif name.endswith("running_var") or (tensor.dim() == 1 and name.endswith("weight")):
            tensor.uniform_(0.6, 1.4)
    return net.double()


def probe(net, size, statistics, precision, pixels, dfeatures, tangent):
    numbers = [v.float().numpy().ravel() for k, v in net.state_dict().items() if "num_batches" not in k]
    numbers += [np.array(MEAN + STD, "<f4"), dfeatures.ravel()]
    numbers += [tangent[k].float().numpy().ravel() if k in tangent else np.zeros(v.numel(), "<f4")
                for k, v in net.state_dict().items() if "num_batches" not in k]
    data = b"".join(np.ascontiguousarray(n, "<f4").tobytes() for n in numbers) + pixels.tobytes()
    depth = 50 if hasattr(net.layer1[0], "conv3") else 18 if len(net.layer1) == 2 else 34
    command = [PROBE, str(depth), str(size), str(D), str(len(pixels)), statistics, precision]
    return np.frombuffer(subprocess.run(command, input=data, stdout=subprocess.PIPE, check=True).stdout, "<f4")


def compare(depth, size, batch, statistics, feature_limit, gradient_limit, jvp_limit):
    net = make(depth)
    random = np.random.RandomState(1)
    pixels = random.randint(0, 256, (batch, size, size, 3)).astype(np.uint8)
    dfeatures = random.randn(batch, D).astype("<f4")
    parameters = dict(net.named_parameters())
    tangent = {k: torch.from_numpy(random.randn(*p.shape).astype("<f4")).double() * p.detach().abs().mean()
               for k, p in parameters.items()}
    x = (torch.from_numpy(pixels).double() / 255 - torch.tensor(MEAN).double()) / torch.tensor(STD).double()
    x = x.permute(0, 3, 1, 2).contiguous()
    got = probe(net, size, statistics, "float32", pixels, dfeatures, tangent)
    net.train(statistics == "train")
    names = list(parameters)
    buffers = {k: b.clone() for k, b in net.named_buffers()}

    def run(*tensors):
        return functional_call(net, {**buffers, **dict(zip(names, tensors))}, (x,))

    what = "resnet%d at %d, %s: " % (depth, size, statistics)
    features = run(*parameters.values())
    error = distance(got[:batch * D].reshape(batch, D), features.detach().numpy())
    report(error < feature_limit, what + "features (%.1e)" % error)
    if statistics == "folded":
        return
    gradients = torch.autograd.grad((features * torch.from_numpy(dfeatures).double()).sum(), list(parameters.values()))
    gradients, at, worst, where = dict(zip(names, gradients)), batch * D, 0, ""
    for name, value in net.state_dict().items():
        if "num_batches" in name:
            continue
        ours = got[at:at + value.numel()]
        at += value.numel()
        if name in gradients:
            error = distance(ours, gradients[name].numpy().ravel())
            worst, where = max((worst, where), (error, name))
    report(worst < gradient_limit, what + "gradients (worst %.1e at %s)" % (worst, where))
    directions = tuple(tangent[k] for k in names)
    _, want = torch.autograd.functional.jvp(run, tuple(p.detach() for p in parameters.values()), directions)
    error = distance(got[at:].reshape(batch, D), want.numpy())
    report(error < jvp_limit, what + "JVP (%.1e)" % error)


# Statistics of a batch amplify float32's rounding over 50 layers; PyTorch's own float32 is as far from its float64.
for depth in (18, 34, 50):
    compare(depth, 97, 4, "folded", 1e-5, 0, 0)
    compare(depth, 64, 4, "frozen", 1e-5, 2e-3, 1e-4)
    compare(depth, 80, 4, "train", 1e-4, 8e-2, 8e-2)
print("1..%d" % count)
sys.exit(failed > 0)
