#!/usr/bin/python3
"""blades-train against PyTorch in float64: the same weights and batches, the losses, the gradient, the hypergradient by
JVP and by finite differences, and the parameters after one and ten steps. Prints TAP."""
import functools
import json
import os
import subprocess
import sys
import tempfile

import numpy as np
import torch

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import reference  # noqa: E402
from blades_streams import read_safetensors, write_safetensors, write_stream  # noqa: E402

torch.set_num_threads(2)
torch.set_default_dtype(torch.float64)

SIZE, BATCH, STEPS, RATE, DECAY = 64, 12, 10, 1e-5, 1e-3
MEAN, STD = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]
TASKS = [
    {"name": "iso", "kind": "ordinal", "classes": ["low", "medium", "high"],
     "prompts": [f"a photo of a face with the {x} value of ISO speed rating" for x in ("low", "medium", "high")]},
    {"name": "make", "kind": "categorical", "classes": ["Nikon", "Canon", "Sony", "others"],
     "prompts": [f"a photo of a face taken with the {x} brand camera" for x in ("Nikon", "Canon", "Sony", "others")]},
    {"name": "model", "kind": "categorical", "classes": ["A", "B"],  # no batch has a label of it
     "prompts": ["a photo of a face taken with the A camera model", "a photo of a face taken with the B camera model"]},
    {"name": "coarse", "kind": "coarse", "classes": ["photographic", "manipulated"],
     "prompts": ["a photo of a photographic face", "a photo of a manipulated face"]},
    {"name": "fine", "kind": "fine", "classes": ["mouth", "eye", "nose"],
     "prompts": [f"a photo of a face with a manipulated {x} region" for x in ("mouth", "eye", "nose")]},
]
failures = number = 0


def report(good, text):
    global failures, number
    number += 1
    failures += not good
    print(f"{'ok' if good else 'not ok'} {number} - {text}", flush=True)


def within(ours, theirs, tolerance, text, floor=0.0):
    ours, theirs = np.asarray(ours, float), np.asarray(theirs, float)
    error = np.max(np.abs(ours - theirs) / np.maximum(np.abs(theirs), floor + 1e-300))
    report(error <= tolerance, f"{text}: relative error {error:.1e}, at most {tolerance:g}")


# ---- Data -----------------------------------------------------------------------------------------------------------

def make_record(rng, split, step, n=BATCH, gaps=False):
    coarse = rng.integers(0, 2, n).astype("<i4")
    regions = (rng.random((n, 3)) < 0.5).astype("u1") * coarse[:, None].astype("u1")
    iso = rng.choice([100, 200, 400, 800], n).astype("<f4")
    iso[rng.random(n) < 0.3] = np.nan
    make = rng.integers(-1, 4, n).astype("<i4")
    if step == 3:  # a step whose batch says nothing of two tasks
        iso[1:] = np.nan
        make[:] = -1
    pixels = draw(rng, coarse, n)
    if gaps:  # labels missing in every way
        regions[rng.random((n, 3)) < 0.3] = 255
        regions[0] = 255
        coarse[rng.random(n) < 0.3] = -1
        if step == 2:
            coarse[:] = -1
            regions[:] = 255
    labels = {"iso": iso, "make": make, "model": np.full(n, -1, "<i4"), "coarse": coarse, "fine": regions}
    return {"split": split, "epoch": 0, "step": step, "n": n, "height": SIZE, "width": SIZE,
            "pixels": pixels.tobytes(), "ids": [str(i) for i in range(n)],
            "labels": {name: array.tobytes() for name, array in labels.items()}}


def draw(rng, coarse, n):
    coarse_waves = np.sin(np.arange(SIZE) * 0.3)[None, :, None, None] * np.cos(np.arange(SIZE) * 0.2)[None, None, :, None]
    pixels = 128 + 60 * rng.standard_normal((n, 1, 1, 3)) * coarse_waves
    pixels = pixels + 25 * rng.standard_normal((n, SIZE, SIZE, 3)) + 30 * coarse[:, None, None, None]
    return np.clip(pixels, 0, 255).astype("u1")


def as_batch(record):
    types = {"ordinal": "<f4", "categorical": "<i4", "coarse": "<i4", "fine": "u1"}
    pixels = np.frombuffer(record["pixels"], "u1").reshape(-1, SIZE, SIZE, 3)
    images = torch.tensor((pixels / 255.0 - MEAN) / STD).permute(0, 3, 1, 2)
    labels = {}
    for task in TASKS:
        array = np.frombuffer(record["labels"][task["name"]], types[task["kind"]])
        if task["kind"] == "fine":
            array = array.reshape(-1, 3)
        labels[task["name"]] = torch.tensor(array.astype(float) if task["kind"] == "ordinal" else array.astype(int))
    return {"images": images, "labels": labels}


def random_weights(initial):
    """Other values than the tool's own: every parameter random, none at a special value."""
    rng = np.random.default_rng(7)
    out = {}
    for name, array in sorted(initial.items()):
        noise = rng.standard_normal(array.shape)
        if "running_" in name:
            out[name] = np.ones(array.shape)
        elif array.ndim == 4:
            out[name] = noise * np.sqrt(2 / np.prod(array.shape[1:]))
        elif "bn" in name or "downsample.1" in name or ".ln_" in name:
            out[name] = (1 if name.endswith("weight") else 0) + 0.1 * noise
        elif name == "model.logit_scale":
            out[name] = np.array(2.0)
        elif array.ndim == 2 and "embedding" not in name:
            out[name] = noise / np.sqrt(array.shape[1])
        else:
            out[name] = 0.1 * noise
    return {name: array.astype(np.float32) for name, array in out.items()}


def train(folder, *options):
    """Runs the tool; returns the trace's lines and the model's parameters."""
    trace, model = f"{folder}/trace", f"{folder}/out.safetensors"
    command = ["blades-train", "-q", "--width", "0.25", "--embedding-dim", "32", "--text-layers", "2", "--text-width",
               "128", "--lr", str(RATE), "--weight-decay", str(DECAY), "--trace", trace, "-o", model, *options,
               f"{folder}/batches"]
    subprocess.run(command, check=True)
    return [json.loads(line) for line in open(trace)], read_safetensors(model)[0]


def pad_tokens(sequences):
    out = torch.zeros((len(sequences), max(map(len, sequences))), dtype=torch.long)
    for i, ids in enumerate(sequences):
        out[i, :len(ids)] = torch.tensor(ids)
    return out


# ---- Comparisons ----------------------------------------------------------------------------------------------------

def run_reference(weights, tokens, batches, steps, type=torch.float64, **how):
    """Trains; returns what each step reports, and the parameters after one and after all."""
    p = {n: torch.tensor(a).to(type) for n, a in weights.items()}
    training = reference.Training(p, TASKS, tokens, 2, **{"rate": RATE, "decay": DECAY, **how})
    lines, after_one = [], None
    for pair in batches[:steps]:
        lines.append(training.step(*({**b, "images": b["images"].to(type)} for b in pair)))
        after_one = after_one or dict(training.p)
    return lines, after_one, training.p


def vector(values, names):
    return np.concatenate([np.asarray(values[n], dtype=float).ravel() for n in names])


def distance(ours, theirs, names):
    a, b = vector(ours, names), vector(theirs, names)
    return float(np.linalg.norm(a - b) / np.linalg.norm(b))


def at_most(error, bound, text):
    report(error <= bound, f"{text}: relative error {error:.1e}, at most {bound:.1e}")


def lambda_error(line, theirs):
    """Of the whole vector, and the largest of a single task (those below a hundredth of the largest count as that)."""
    ours, ref = np.array([line["lambda_gradient"][t["name"]] for t in TASKS]), np.array(theirs["lambda_gradient"])
    floor = np.maximum(np.abs(ref), 0.01 * np.abs(ref).max())
    return np.linalg.norm(ours - ref) / np.linalg.norm(ref), np.max(np.abs(ours - ref) / floor)


def compare_step(line, theirs, what, bounds):
    names = [t["name"] for t in TASKS]
    within([line["loss"][n] for n in names], theirs["loss"], bounds["loss"], f"{what}: task losses", 1e-2)
    within(line["validation_loss"], theirs["validation_loss"], bounds["loss"], f"{what}: validation loss")
    within(line["gradient_norm"], theirs["gradient_norm"], bounds["gradient"], f"{what}: gradient norm")
    within([line["lambda_before"][n] for n in names], theirs["lambda_before"], 1e-5, f"{what}: lambda")
    whole, single = lambda_error(line, theirs)
    at_most(single if "jvp" in what else whole, bounds["jvp" if "jvp" in what else "fd"], f"{what}: lambda gradient")


def train_gradient(weights, tokens, batch, names, type):
    p = {n: torch.tensor(a).to(type).requires_grad_(n in names) for n, a in weights.items()}
    batch = {**batch, "images": batch["images"].to(type)}
    total = sum(reference.task_losses(p, batch, TASKS, tokens, 2))
    return {n: g.double() for n, g in zip(names, torch.autograd.grad(total, [p[n] for n in names]))}


def compare_gradient(folder, init, weights, exact, names, arch, bound):
    """SGD with rate 1 shows the whole gradient as a difference of parameters."""
    _, moved = train(folder, "--arch", arch, "--init", init, "--steps", "1", "--optimizer", "sgd", "--lr", "1",
                     "--weight-decay", "0", "--weights", "equal", "--schedule", "constant")
    ours = {n: weights[n].astype(np.float64) - moved[n] for n in names}
    at_most(distance(ours, exact, names), bound, f"{arch}: gradient of all parameters")


def prepare(folder, arch, records, steps):
    """Random weights in a file, what PyTorch makes of them, and the tokens the tool works with."""
    lines, initial = train(folder, "--arch", arch, "--steps", "0")
    weights = random_weights({n: a for n, a in initial.items() if "num_batches" not in n})
    write_safetensors(f"{folder}/init.safetensors", weights)
    names = [n for n in weights if "running_" not in n]
    batches = [(as_batch(records[2 * i]), as_batch(records[2 * i + 1])) for i in range(steps)]
    return weights, names, batches, pad_tokens(lines[0]["tokens"]), f"{folder}/init.safetensors"


BOUNDS = {"loss": 1e-5, "gradient": 1e-4, "jvp": 1e-3, "fd": 2e-2}


def compare_small(folder, records):
    arch = "resnet18"
    weights, names, batches, tokens, init = prepare(folder, arch, records, STEPS)
    theirs, after_one, after_all = run_reference(weights, tokens, batches, STEPS)
    exact = train_gradient(weights, tokens, batches[0][0], names, torch.float64)
    compare_gradient(folder, init, weights, exact, names, arch, 1e-4)
    for method in ("jvp", "fd"):
        lines, values = train(folder, "--arch", arch, "--init", init, "--hypergradient", method, "--steps", "1")
        line = theirs[0]
        if method == "fd":  # its own error is in the step it takes, not in the arithmetic
            exact = {n: torch.tensor(a.astype(np.float64)) for n, a in weights.items()}
            slope = reference.difference_gradient(exact, *batches[0], TASKS, tokens, 2, RATE, DECAY)
            error = np.linalg.norm(np.subtract(slope, line["lambda_gradient"])) / np.linalg.norm(line["lambda_gradient"])
            print(f"# in float64 this difference is within {error:.1e} of the exact lambda gradient")
            line = {**line, "lambda_gradient": slope}
        compare_step(lines[1], line, f"{arch}, {method}, step 0", BOUNDS)
        at_most(distance(values, after_one, names), 1e-4, f"{arch}, {method}: parameters after a step")
    lines, values = train(folder, "--arch", arch, "--init", init, "--steps", str(STEPS))
    for step in (1, 3, STEPS - 1):
        compare_step(lines[1 + step], theirs[step], f"{arch}, jvp, step {step}", BOUNDS)
    at_most(distance(values, after_all, names), 1e-4, f"{arch}: parameters after {STEPS} steps")


TEXT = ("model.token", "model.pos", "model.transformer", "model.ln_final", "model.text")
# Options of the tool and of the reference that mean the same.
VARIANTS = [
    ("softplus, warm-up, clipping", ["--lambda", "softplus", "--warmup", "2", "--schedule-steps", "3", "--clip", "0.05"],
     {"form": "softplus", "clip": 0.05,
      "factor": lambda step: min(1, (step + 1) / 2) * 0.5 * (1 + np.cos(np.pi * max(0, step - 2) / 3))}),
    ("softmax, lag, SGD", ["--lambda", "softmax", "--lambda-lag", "--optimizer", "sgd"],
     {"form": "softmax", "lag": True, "optimizer": reference.sgd}),
    ("frozen text and scale", ["--freeze", "text,scale"], {"frozen": TEXT + ("model.logit_scale",)}),
    ("frozen images", ["--freeze", "image"], {"frozen": ("model.visual",)}),
    ("rates by group", ["--lr-image", "3e-5", "--lr-text", "2e-6", "--lr-scale", "1e-3"],
     {"rates": {"model.visual": 3e-5, "model.logit_scale": 1e-3, "model.": 2e-6}}),
    ("fixed weights", ["--weights", "WEIGHTS"], {"fixed": [0.5, 2, 1, 0.25, -0.5]}),
    ("Thurstone, gamma 0.5", ["--ordinal", "thurstone", "--gamma", "0.5"],
     {"losses": {**reference.LOSSES, "ordinal": functools.partial(reference.ordinal, steepness=0.5),
                 "categorical": functools.partial(reference.categorical, gamma=0.5)}}),
]


def compare_variants(folder):
    """All options, on batches of two sizes in which labels of every task are missing."""
    rng, steps = np.random.default_rng(6), 4
    records = [make_record(rng, split, step, n, True) for step in range(steps) for split, n in (("train", 9), ("val", 14))]
    write_batches(folder, records)
    weights, names, batches, tokens, init = prepare(folder, "resnet18", records, steps)
    json.dump(dict(zip((t["name"] for t in TASKS), [0.5, 2, 1, 0.25, -0.5])), open(f"{folder}/weights.json", "w"))
    for what, words, how in VARIANTS:
        words = [f"{folder}/weights.json" if w == "WEIGHTS" else w for w in words]
        theirs, _, after = run_reference(weights, tokens, batches, steps, lambda_rate=1e-2, **how)
        lines, values = train(folder, "--arch", "resnet18", "--init", init, "--lambda-lr", "1e-2", *words)
        largest = max(max(map(abs, line.get("lambda_gradient", [0]))) for line in theirs)
        for step in range(steps):
            compare_variant(lines[1 + step], theirs[step], largest, f"{what}, step {step}")
        moved = distance({n: values[n] - weights[n] for n in names}, {n: after[n].numpy() - weights[n] for n in names}, names)
        at_most(moved, 2e-2, f"{what}: change of all parameters after {steps} steps")


def compare_variant(line, theirs, largest, what):
    """largest: hypergradient of all steps; float32 can turn single rectified units over, which shows where they cancel."""
    names = [t["name"] for t in TASKS]
    bad = []
    for key, bound in (("loss", 1e-5), ("validation_loss", 1e-5), ("gradient_norm", 1e-4), ("lambda_after", 1e-4),
                       ("lambda_gradient", 5e-3)):
        if key == "lambda_gradient" and key not in theirs:
            continue
        ours = line[key] if isinstance(line[key], float) else [line[key][n] for n in names]
        ref = np.array(theirs[key])
        floor = largest if key == "lambda_gradient" else 0.01 * np.abs(ref).max() + 1e-300
        error = np.max(np.abs(ours - ref) / np.maximum(np.abs(ref), floor))
        bad += [f"{key} {error:.1e}"] if not error <= bound else []
    report(not bad, f"{what}: losses, gradients, weights" + "".join("; " + b for b in bad))


def write_batches(folder, records):
    header = {"tasks": TASKS, "batch": records[0]["n"],
              "preprocessing": {"size": SIZE, "mean": MEAN, "std": STD, "resampling": "bilinear", "scale": 1.3}}
    write_stream(f"{folder}/batches", "batch", header, records)


def compare_deep(folder, records):
    """Fifty layers of random weights amplify the rounding of float32, PyTorch's as much as ours: its error against
    float64, three times, bounds ours where that is more than the bound for a shallow network."""
    arch = "resnet50"
    weights, names, batches, tokens, init = prepare(folder, arch, records, 1)
    theirs, after_one, _ = run_reference(weights, tokens, batches, 1)
    single, single_after, _ = run_reference(weights, tokens, batches, 1, torch.float32)
    exact = train_gradient(weights, tokens, batches[0][0], names, torch.float64)
    rounded = train_gradient(weights, tokens, batches[0][0], names, torch.float32)
    compare_gradient(folder, init, weights, exact, names, arch, max(1e-4, 3 * distance(rounded, exact, names)))
    lines, values = train(folder, "--arch", arch, "--init", init, "--steps", "1")
    named = {"lambda_gradient": dict(zip((t["name"] for t in TASKS), single[0]["lambda_gradient"]))}
    norm_error = abs(single[0]["gradient_norm"] / theirs[0]["gradient_norm"] - 1)
    bounds = {"loss": 3e-5, "gradient": max(1e-4, 3 * norm_error, distance(rounded, exact, names)),
              "jvp": max(1e-3, 3 * lambda_error(named, theirs[0])[1])}
    compare_step(lines[1], theirs[0], f"{arch}, jvp, step 0", bounds)
    bound = max(1e-4, 3 * distance(single_after, after_one, names))
    at_most(distance(values, after_one, names), bound, f"{arch}: parameters after a step")


def main():
    rng = np.random.default_rng(3)
    records = [make_record(rng, split, step) for step in range(STEPS) for split in ("train", "val")]
    with tempfile.TemporaryDirectory() as folder:
        write_batches(folder, records)
        compare_small(folder, records)
        compare_deep(folder, records)
        compare_variants(folder)
    print(f"1..{number}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
