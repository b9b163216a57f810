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


def ordinal(z, y, steepness=math.sqrt(2)):
    """p = Phi(2 (q_a - q_b)), or with steepness 1/2 Thurstone's Phi((q_a - q_b) / sqrt 2)."""
    kept = ~torch.isnan(y)
    q = (z[kept].softmax(-1) * torch.arange(1, z.shape[1] + 1, dtype=z.dtype)).sum(-1)
    a, b = torch.triu_indices(len(q), len(q), 1)
    if len(a) == 0:
        return None
    p = 0.5 * (1 + torch.erf((q[a] - q[b]) * steepness))
    g = 0.5 * (1 + torch.sign(y[kept][a] - y[kept][b]))
    return (1 - (p * g + E).sqrt() - ((1 - p) * (1 - g) + E).sqrt()).mean()


def fine(z, y):
    """Regions labelled 255 do not count; the mean is over a sample's regions, then over samples."""
    kept = y != 255
    if not kept.any():
        return None
    p, g = torch.sigmoid(z), torch.where(kept, y, 0).to(z.dtype)
    loss = (1 - (p * g + E).sqrt() - ((1 - p) * (1 - g) + E).sqrt()) * kept
    some = kept.any(-1)
    return (loss.sum(-1)[some] / kept.sum(-1)[some]).mean()


LOSSES = {"coarse": coarse, "categorical": categorical, "ordinal": ordinal, "fine": fine}


def task_losses(p, batch, tasks, tokens, heads, losses=LOSSES):
    """A loss a task, a zero without gradient where nothing is labelled."""
    z, first, out = logits(p, batch["images"], tokens, heads), 0, []
    for task in tasks:
        columns = z[:, first:first + len(task["prompts"])]
        first += len(task["prompts"])
        loss = losses[task["kind"]](columns, batch["labels"][task["name"]])
        out.append(columns.new_zeros(()) if loss is None else loss)
    return out


# ---- The bi-level step ----------------------------------------------------------------------------------------------

def adamw(values, gradients, state, rate, decay):
    """New values and state. rate: a number for each name."""
    step, out = state.get("step", 0) + 1, {}
    kept = {"step": step}
    for name, g in gradients.items():
        m, v = state.get(name, (0, 0))
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        kept[name] = (m, v)
        m, v = m / (1 - 0.9 ** step), v / (1 - 0.999 ** step)
        out[name] = values[name] * (1 - rate[name] * decay) - rate[name] * m / (v.sqrt() + 1e-8)
    return out, kept


def sgd(values, gradients, state, rate, decay):
    out, kept = {}, {}
    for name, g in gradients.items():
        buffer = 0.9 * state.get(name, 0) + g + decay * values[name]
        kept[name] = buffer
        out[name] = values[name] - rate[name] * buffer
    return out, kept


FORMS = {"raw": lambda a: a, "softplus": lambda a: F.softplus(a), "softmax": lambda a: len(a) * a.softmax(0)}
STARTS = {"raw": 1.0, "softplus": math.log(math.expm1(1)), "softmax": 0.0}


class Training:
    """The method with its options. After each step `p` holds the parameters and `weights` the tasks'."""

    def __init__(self, p, tasks, tokens, heads, rate=1e-5, decay=1e-3, lambda_rate=3e-4, form="raw", lag=False,
                 optimizer=adamw, clip=0, factor=lambda step: 1, rates=None, frozen=(), fixed=None,
                 losses=LOSSES):
        self.p, self.tasks, self.tokens, self.heads, self.losses = dict(p), tasks, tokens, heads, losses
        self.names = [n for n in p if "running_" not in n and not n.startswith(tuple(frozen))]
        self.rate = {n: next((r for prefix, r in (rates or {}).items() if n.startswith(prefix)), rate) for n in p}
        self.decay, self.lambda_rate, self.form, self.lag, self.fixed = decay, lambda_rate, form, lag, fixed
        self.optimizer, self.clip, self.factor = optimizer, clip, factor
        self.coarse = [t["kind"] for t in tasks].index("coarse")
        type_ = next(iter(p.values())).dtype
        self.a = torch.full((len(tasks),), STARTS[form], dtype=type_)
        self.weights = FORMS[form](self.a) if fixed is None else torch.tensor(fixed, dtype=type_)
        self.state, self.outer, self.done = {}, {}, 0

    def evaluate(self, values, batch):
        return task_losses({**self.p, **values}, batch, self.tasks, self.tokens, self.heads, self.losses)

    def gradient(self, theta, batch, weights, create_graph=False):
        losses = self.evaluate(theta, batch)
        total = sum(w * x for w, x in zip(weights, losses))
        g = torch.autograd.grad(total, [theta[n] for n in self.names], create_graph=create_graph, allow_unused=True)
        g = {n: torch.zeros_like(theta[n]) if d is None else d for n, d in zip(self.names, g)}
        return [float(x) for x in losses], g, math.sqrt(sum(float((d.detach().double() ** 2).sum()) for d in g.values()))

    def clipped(self, g, norm):
        factor = min(1, self.clip / (norm + 1e-6)) if self.clip else 1
        return {n: d * factor for n, d in g.items()}

    def learn(self, theta, train, val, rate, line):
        """Steps 1 to 4, the hypergradient by differentiating twice."""
        weights = self.weights.detach().requires_grad_()
        _, g, norm = self.gradient(theta, train, weights, True)
        moved = {n: theta[n] - rate[n] * (g[n] + self.decay * theta[n]) for n in self.names}
        val_loss = self.evaluate(moved, val)[self.coarse]
        slope = torch.zeros_like(weights)
        if val_loss.requires_grad:
            slope = torch.autograd.grad(val_loss, weights)[0].detach()
        line.update(validation_loss=float(val_loss), lambda_gradient=slope.tolist())
        a = self.a.detach().requires_grad_()
        slope = torch.autograd.grad((FORMS[self.form](a) * slope).sum(), a)[0]
        moved, self.outer = adamw({"a": self.a}, {"a": slope}, self.outer, {"a": self.lambda_rate}, 0)
        self.a = moved["a"]
        self.weights = FORMS[self.form](self.a)
        return {n: d.detach() for n, d in g.items()}, norm

    def step(self, train, val):
        """One iteration; returns what the trace holds."""
        theta = {n: self.p[n].detach().requires_grad_() for n in self.names}
        factor = self.factor(self.done)
        rate = {n: r * factor for n, r in self.rate.items()}
        line, g = {"lambda_before": self.weights.tolist()}, None
        if self.fixed is None:
            g, norm = self.learn(theta, train, val, rate, line)
        else:
            line["validation_loss"] = float(self.evaluate(theta, val)[self.coarse])
        losses, final, final_norm = self.gradient(theta, train, self.weights)
        if self.lag and g:
            final, final_norm = g, norm
        values = {n: t.detach() for n, t in theta.items()}
        moved, self.state = self.optimizer(values, self.clipped(final, final_norm), self.state, rate, self.decay)
        self.p.update(moved)
        self.done += 1
        return {**line, "loss": losses, "lambda_after": self.weights.tolist(), "gradient_norm": final_norm}


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
