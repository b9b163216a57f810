"""The method in PyTorch, the straightforward way: both encoders, the losses, and one bi-level step with the
hypergradient by differentiating twice. Written from the method's description; parameters are a dictionary under the
published names."""
import math

import torch
import torch.nn.functional as F

E = 1e-8


def batch_norm(x, p, name):
    return F.batch_norm(x, None, None, p[name + ".weight"], p[name + ".bias"], training=True)


def basic_block(x, p, name, stride):
    y = F.relu(batch_norm(F.conv2d(x, p[name + ".conv1.weight"], stride=stride, padding=1), p, name + ".bn1"))
    y = batch_norm(F.conv2d(y, p[name + ".conv2.weight"], padding=1), p, name + ".bn2")
    return y


def bottleneck(x, p, name, stride):
    y = F.relu(batch_norm(F.conv2d(x, p[name + ".conv1.weight"]), p, name + ".bn1"))
    y = F.relu(batch_norm(F.conv2d(y, p[name + ".conv2.weight"], stride=stride, padding=1), p, name + ".bn2"))
    return batch_norm(F.conv2d(y, p[name + ".conv3.weight"]), p, name + ".bn3")


def resnet(p, x):
    """torchvision's ResNet of whatever depth and width the parameters have."""
    v = "model.visual."
    x = F.relu(batch_norm(F.conv2d(x, p[v + "conv1.weight"], stride=2, padding=3), p, v + "bn1"))
    x = F.max_pool2d(x, 3, 2, 1)
    for stage in range(1, 5):
        block = 0
        while f"{v}layer{stage}.{block}.conv1.weight" in p:
            name = f"{v}layer{stage}.{block}"
            stride = 2 if stage > 1 and block == 0 else 1
            form = bottleneck if name + ".conv3.weight" in p else basic_block
            skip = x
            if name + ".downsample.0.weight" in p:
                skip = batch_norm(F.conv2d(x, p[name + ".downsample.0.weight"], stride=stride), p,
                                  name + ".downsample.1")
            x = F.relu(form(x, p, name, stride) + skip)
            block += 1
    return F.linear(x.mean((2, 3)), p[v + "fc.weight"], p[v + "fc.bias"])


def attention(x, p, name, heads):
    n, length, width = x.shape
    qkv = F.linear(x, p[name + ".attn.in_proj_weight"], p[name + ".attn.in_proj_bias"])
    q, k, v = (t.reshape(n, length, heads, width // heads).transpose(1, 2) for t in qkv.chunk(3, -1))
    scores = q @ k.transpose(2, 3) / math.sqrt(width // heads)
    scores = scores + torch.full((length, length), -math.inf, dtype=x.dtype).triu(1)
    y = (scores.softmax(-1) @ v).transpose(1, 2).reshape(n, length, width)
    return F.linear(y, p[name + ".attn.out_proj.weight"], p[name + ".attn.out_proj.bias"])


def text_features(p, tokens, heads):
    """tokens (prompts, context), padded with 0 as CLIP does; the end token is the largest."""
    m = "model."
    norm = lambda x, name: F.layer_norm(x, x.shape[-1:], p[name + ".weight"], p[name + ".bias"])
    x = p[m + "token_embedding.weight"][tokens] + p[m + "positional_embedding"][:tokens.shape[1]]
    layer = 0
    while f"{m}transformer.resblocks.{layer}.ln_1.weight" in p:
        name = f"{m}transformer.resblocks.{layer}"
        x = x + attention(norm(x, name + ".ln_1"), p, name, heads)
        h = F.linear(norm(x, name + ".ln_2"), p[name + ".mlp.c_fc.weight"], p[name + ".mlp.c_fc.bias"])
        x = x + F.linear(h * torch.sigmoid(1.702 * h), p[name + ".mlp.c_proj.weight"],
                         p[name + ".mlp.c_proj.bias"])
        layer += 1
    x = norm(x, m + "ln_final")[torch.arange(len(tokens)), tokens.argmax(-1)]
    return F.linear(x @ p[m + "text_projection"], p[m + "text_fc.weight"], p[m + "text_fc.bias"])


def logits(p, images, tokens, heads):
    image, text = F.normalize(resnet(p, images)), F.normalize(text_features(p, tokens, heads))
    return p["model.logit_scale"].exp() * image @ text.T


# ---- Losses (labels as in batch records; each returns None when no sample counts) -----------------------------------

def coarse(z, y):
    kept = y >= 0
    if not kept.any():
        return None
    p = z[kept].softmax(-1).gather(1, y[kept, None])[:, 0]
    return (1 - (p + E).sqrt()).mean()


def categorical(z, y, gamma=2):
    kept = y >= 0
    if not kept.any():
        return None
    p = z[kept].softmax(-1).gather(1, y[kept, None])[:, 0]
    return ((1 - p) ** gamma * (1 - (p + E).sqrt())).mean()


def ordinal(z, y):
    kept = ~torch.isnan(y)
    q = (z[kept].softmax(-1) * torch.arange(1, z.shape[1] + 1, dtype=z.dtype)).sum(-1)
    a, b = torch.triu_indices(len(q), len(q), 1)
    if len(a) == 0:
        return None
    p = 0.5 * (1 + torch.erf((q[a] - q[b]) / (math.sqrt(2) / 2)))
    g = 0.5 * (1 + torch.sign(y[kept][a] - y[kept][b]))
    return (1 - (p * g + E).sqrt() - ((1 - p) * (1 - g) + E).sqrt()).mean()


def fine(z, y):
    p, g = torch.sigmoid(z), y.to(z.dtype)
    return (1 - (p * g + E).sqrt() - ((1 - p) * (1 - g) + E).sqrt()).mean(-1).mean()


LOSSES = {"coarse": coarse, "categorical": categorical, "ordinal": ordinal, "fine": fine}


def task_losses(p, batch, tasks, tokens, heads):
    """A loss a task, a zero without gradient where nothing is labelled."""
    z, first, losses = logits(p, batch["images"], tokens, heads), 0, []
    for task in tasks:
        columns = z[:, first:first + len(task["prompts"])]
        first += len(task["prompts"])
        loss = LOSSES[task["kind"]](columns, batch["labels"][task["name"]])
        losses.append(columns.new_zeros(()) if loss is None else loss)
    return losses


# ---- The bi-level step ----------------------------------------------------------------------------------------------

class Adam:
    """AdamW; with decay 0 it is Adam."""

    def __init__(self, rate, decay=0.0):
        self.rate, self.decay, self.step, self.m, self.v = rate, decay, 0, {}, {}

    def update(self, values, gradients):
        self.step += 1
        for name, g in gradients.items():
            m = self.m[name] = 0.9 * self.m.get(name, 0) + 0.1 * g
            v = self.v[name] = 0.999 * self.v.get(name, 0) + 0.001 * g * g
            m, v = m / (1 - 0.9 ** self.step), v / (1 - 0.999 ** self.step)
            values[name] = values[name] * (1 - self.rate * self.decay) - self.rate * m / (v.sqrt() + 1e-8)


def bilevel_step(p, weights, train, val, tasks, tokens, heads, rate, decay, outer, inner):
    """One step; p and weights (a tensor) are replaced in place of their containers. Returns what the trace holds."""
    names = [n for n in p if p[n].is_floating_point() and "running_" not in n]
    theta = {n: p[n].detach().requires_grad_() for n in names}
    lam = weights["lambda"].detach().requires_grad_()
    losses = task_losses(theta, train, tasks, tokens, heads)
    g = torch.autograd.grad(sum(l * x for l, x in zip(losses, lam)), [theta[n] for n in names], create_graph=True)
    moved = {n: theta[n] - rate * (d + decay * theta[n]) for n, d in zip(names, g)}
    which = [t["kind"] for t in tasks].index("coarse")
    val_loss = task_losses(moved, val, tasks, tokens, heads)[which]
    slope = torch.autograd.grad(val_loss, lam)[0].detach()
    outer.update(weights, {"lambda": slope})
    losses = task_losses(theta, train, tasks, tokens, heads)
    total = sum(l * x for l, x in zip(losses, weights["lambda"]))
    final = dict(zip(names, torch.autograd.grad(total, [theta[n] for n in names])))
    values = {n: theta[n].detach() for n in names}
    inner.update(values, final)
    p.update(values)
    norm = math.sqrt(sum(float((d.double() ** 2).sum()) for d in final.values()))
    return {"loss": [float(l) for l in losses], "validation_loss": float(val_loss),
            "lambda_before": lam.detach().tolist(), "lambda_gradient": slope.tolist(),
            "lambda_after": weights["lambda"].tolist(), "gradient_norm": norm}


def difference_gradient(p, train, val, tasks, tokens, heads, rate, decay):
    """The hypergradient as the authors' program takes it: a central difference along v with step 0.01 / |v|."""
    names = [n for n in p if "running_" not in n]
    theta = {n: p[n].detach().requires_grad_() for n in names}
    losses = task_losses(theta, train, tasks, tokens, heads)
    g = torch.autograd.grad(sum(losses), [theta[n] for n in names])
    moved = {n: (theta[n] - rate * (d + decay * theta[n])).detach().requires_grad_() for n, d in zip(names, g)}
    which = [t["kind"] for t in tasks].index("coarse")
    val_loss = task_losses(moved, val, tasks, tokens, heads)[which]
    v = torch.autograd.grad(val_loss, [moved[n] for n in names])
    step = 0.01 / float(torch.cat([d.flatten() for d in v]).norm())
    sides = []
    for sign in (1, -1):
        shifted = {n: theta[n].detach() + sign * step * d for n, d in zip(names, v)}
        sides.append([float(x) for x in task_losses(shifted, train, tasks, tokens, heads)])
    return [-rate * (a - b) / (2 * step) for a, b in zip(*sides)]
