"""One full bi-level step, blades-train beside PyTorch: ResNet-50 at 224, batches of 48, the 50 reference prompts, CLIP's
text transformer (12 blocks of 512, 49408 tokens). PyTorch works the straightforward way: 77 tokens a prompt, a copy of
the network for the virtual step, the hypergradient by two more forward passes. Both use the threads of OMP_NUM_THREADS
(2 by default), each runs in a process of its own, one after the other; the first step of each warms up.

Usage: bench/train.py [--memory small|medium|large] [--precision float32|bf16] [--lag] [--only ours|torch] [STEPS]"""
import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "parity"))

BATCH, SIZE, CONTEXT, VOCABULARY, RATE, DECAY = 48, 224, 77, 49408, 1e-5, 1e-3
THREADS = int(os.environ.get("OMP_NUM_THREADS", "2"))
ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
CLIP = os.path.join(ROOT, "..", "shared", "data", "clip", "bpe_simple_vocab_16e6.txt.gz")


def reference_tasks():
    """The tasks of the published checkpoint, prompts filled in."""
    tasks = json.load(open(os.path.join(ROOT, "examples", "tasks", "reference.json")))["tasks"]
    default = {"ordinal": ["low", "medium", "high"], "coarse": ["photographic", "manipulated"],
               "fine": ["mouth", "eye", "nose"]}
    out = []
    for task in tasks:
        classes = task.get("classes") or default[task["kind"]]
        out.append({"name": task["name"], "kind": task["kind"], "classes": classes,
                    "prompts": task.get("prompts") or [task["template"].replace("{}", c) for c in classes]})
    return out


def make_records(tasks, steps):
    import numpy as np
    rng = np.random.default_rng(1)
    records = []
    for step in range(steps):
        for split in ("train", "val"):
            labels = {}
            for task in tasks:
                k = len(task["classes"])
                if task["kind"] == "ordinal":
                    labels[task["name"]] = rng.random(BATCH).astype("<f4").tobytes()
                elif task["kind"] == "fine":
                    labels[task["name"]] = rng.integers(0, 2, (BATCH, k)).astype("u1").tobytes()
                else:
                    labels[task["name"]] = rng.integers(0, k, BATCH).astype("<i4").tobytes()
            records.append({"split": split, "epoch": 0, "step": step, "n": BATCH, "height": SIZE, "width": SIZE,
                            "pixels": rng.integers(0, 256, BATCH * SIZE * SIZE * 3, dtype="u1").tobytes(),
                            "labels": labels})
    return records


def plain_merges(path):
    """As many merges as CLIP has, where its vocabulary file is not at hand."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    pairs = [f"{a}{b} {c}{d}" for a in letters for b in letters for c in letters for d in letters]
    with open(path, "w") as out:
        out.write("#version: 0.2\n" + "\n".join(pairs[:48894]) + "\n")


# ---- Ours -----------------------------------------------------------------------------------------------------------

def run_ours(options, steps):
    from blades_streams import write_stream
    tasks = reference_tasks()
    with tempfile.TemporaryDirectory() as folder:
        vocabulary = CLIP
        if not os.path.exists(CLIP):
            vocabulary = f"{folder}/merges.txt"
            plain_merges(vocabulary)
            print("CLIP's vocabulary is not there; the prompts' tokens are single letters", file=sys.stderr)
        write_stream(f"{folder}/batches", "batch", {"tasks": tasks, "batch": BATCH}, make_records(tasks, steps))
        command = ["blades-train", "-q", "-j", str(THREADS), "--vocabulary", vocabulary, "--log", f"{folder}/log",
                   "-o", "/dev/null", *options, f"{folder}/batches"]
        subprocess.run(command, check=True)
        lines = [json.loads(line) for line in open(f"{folder}/log")]
    return [BATCH / line["images_per_second"] for line in lines]


# ---- PyTorch --------------------------------------------------------------------------------------------------------

def build_network():
    import numpy as np
    import torch
    import torchvision
    from torch import nn

    class QuickGelu(nn.Module):
        def forward(self, x):
            return x * torch.sigmoid(1.702 * x)

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.attn, self.ln_1, self.ln_2 = nn.MultiheadAttention(512, 8), nn.LayerNorm(512), nn.LayerNorm(512)
            self.mlp = nn.Sequential(nn.Linear(512, 2048), QuickGelu(), nn.Linear(2048, 512))

        def forward(self, x, mask):
            y = self.ln_1(x)
            x = x + self.attn(y, y, y, need_weights=False, attn_mask=mask)[0]
            return x + self.mlp(self.ln_2(x))

    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.visual = torchvision.models.resnet50(num_classes=768)
            self.token_embedding = nn.Embedding(VOCABULARY, 512)
            self.positional_embedding = nn.Parameter(0.01 * torch.randn(CONTEXT, 512))
            self.blocks = nn.ModuleList(Block() for _ in range(12))
            self.ln_final = nn.LayerNorm(512)
            self.text_projection = nn.Parameter(torch.randn(512, 1024) / 22)
            self.text_fc = nn.Linear(1024, 768)
            self.logit_scale = nn.Parameter(torch.tensor(np.log(1 / 0.07), dtype=torch.float32))

        def forward(self, images, tokens):
            mask = torch.full((CONTEXT, CONTEXT), -np.inf).triu(1)
            x = (self.token_embedding(tokens) + self.positional_embedding).permute(1, 0, 2)
            for block in self.blocks:
                x = block(x, mask)
            x = self.ln_final(x.permute(1, 0, 2))[torch.arange(len(tokens)), tokens.argmax(-1)]
            text = nn.functional.normalize(self.text_fc(x @ self.text_projection))
            return self.logit_scale.exp() * nn.functional.normalize(self.visual(images)) @ text.T

    return Network()


def run_torch(steps):
    import copy

    import numpy as np
    import reference
    import torch
    torch.set_num_threads(THREADS)
    torch.manual_seed(0)
    tasks, network = reference_tasks(), build_network()
    virtual = copy.deepcopy(network)
    prompts = sum(len(t["prompts"]) for t in tasks)
    tokens = torch.randint(1, VOCABULARY - 1, (prompts, CONTEXT))
    tokens[:, 13] = VOCABULARY - 1
    tokens[:, 14:] = 0
    weights = torch.ones(len(tasks), requires_grad=True)
    outer = torch.optim.Adam([weights], lr=3e-4)
    inner = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=DECAY)
    types = {"ordinal": "<f4", "fine": "u1"}

    def batch(record):
        pixels = torch.tensor(np.frombuffer(record["pixels"], "u1").reshape(BATCH, SIZE, SIZE, 3))
        labels = {t["name"]: torch.tensor(np.frombuffer(record["labels"][t["name"]], types.get(t["kind"], "<i4"))
                                          .reshape((BATCH, -1) if t["kind"] == "fine" else BATCH)
                                          .astype("f4" if t["kind"] == "ordinal" else "i8")) for t in tasks}
        return pixels.permute(0, 3, 1, 2).float().div(255).sub(0.45).div(0.27), labels

    def losses(net, data):
        z, first, out = net(data[0], tokens), 0, []
        for task in tasks:
            k = len(task["prompts"])
            out.append(reference.LOSSES[task["kind"]](z[:, first:first + k], data[1][task["name"]]))
            first += k
        return torch.stack(out)

    coarse = [t["kind"] for t in tasks].index("coarse")
    seconds = []
    records = make_records(tasks, steps)
    for step in range(steps):
        train, val = batch(records[2 * step]), batch(records[2 * step + 1])
        started = time.time()
        parameters = list(network.parameters())
        g = torch.autograd.grad((losses(network, train) * weights.detach()).sum(), parameters)
        with torch.no_grad():
            for v, p, d in zip(virtual.parameters(), parameters, g):
                v.copy_(p - RATE * (d + DECAY * p))
        v = torch.autograd.grad(losses(virtual, val)[coarse], list(virtual.parameters()))
        with torch.no_grad():
            eps = 0.01 / torch.cat([d.flatten() for d in v]).norm()
            sides = []
            for sign in (1, -2):
                for p, d in zip(parameters, v):
                    p.add_(d, alpha=float(sign * eps))
                sides.append(losses(network, train))
            for p, d in zip(parameters, v):
                p.add_(d, alpha=float(eps))
        weights.grad = -RATE * (sides[0] - sides[1]) / (2 * eps)
        outer.step()
        inner.zero_grad()
        (losses(network, train) * weights.detach()).sum().backward()
        inner.step()
        seconds.append(time.time() - started)
    return seconds


# ---- The table ------------------------------------------------------------------------------------------------------

def measure(arguments):
    """A process of its own: seconds of each step, and the peak memory of it and its children."""
    out = subprocess.run([sys.executable, os.path.abspath(__file__), "--worker", *arguments], check=True,
                         stdout=subprocess.PIPE).stdout
    result = json.loads(out.decode().splitlines()[-1])
    warm = result["seconds"][1:] or result["seconds"]
    return statistics.median(warm), result["peak"]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("steps", nargs="?", type=int, default=2)
    parser.add_argument("--memory", default="medium")
    parser.add_argument("--precision", default="float32")
    parser.add_argument("--lag", action="store_true")
    parser.add_argument("--only", choices=["ours", "torch"])
    parser.add_argument("--worker", action="store_true")
    a = parser.parse_args()
    options = ["--memory", a.memory, "--precision", a.precision] + (["--lambda-lag"] if a.lag else [])
    if a.worker:
        seconds = run_torch(a.steps) if a.only == "torch" else run_ours(options, a.steps)
        who = resource.RUSAGE_SELF if a.only == "torch" else resource.RUSAGE_CHILDREN
        print(json.dumps({"seconds": seconds, "peak": resource.getrusage(who).ru_maxrss / 1e6}))
        return
    shown = {}
    for name in ("ours", "torch"):
        if a.only in (None, name):
            flags = options[:4] + (["--lag"] if a.lag else []) if name == "ours" else []
            shown[name] = measure(["--only", name, *flags, str(a.steps)])
            what = "blades-train " + " ".join(options) if name == "ours" else "PyTorch"
            print(f"{what:50s} {shown[name][0]:7.2f} s a step {shown[name][1]:6.2f} GB", flush=True)
    if len(shown) == 2:
        print(f"{'PyTorch over ours':50s} {shown['torch'][0] / shown['ours'][0]:7.2f} times the time "
              f"{shown['torch'][1] / shown['ours'][1]:6.2f} times the memory")


if __name__ == "__main__":
    main()
