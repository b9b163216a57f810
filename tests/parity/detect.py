#!/usr/bin/python3
"""Compares gmm-fit, score, evaluate and tsne with scikit-learn on the same numbers."""
import json
import os
import struct
import subprocess
import sys
import tempfile
import warnings

import msgpack
import numpy as np
from scipy.spatial.distance import pdist
from sklearn import metrics
from sklearn.covariance import OAS
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from sklearn.manifold._t_sne import _joint_probabilities_nn
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import NearestNeighbors

warnings.filterwarnings("ignore")
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BIN = os.path.abspath(os.environ.get("BLADES_BIN", os.path.join(ROOT, "build", "bin")))
results = []


def check(name, good, detail=""):
    results.append(bool(good))
    print(f"{'ok' if good else 'not ok'} {len(results)} - {name}{'' if good else ': ' + str(detail)}", flush=True)


def tool(name, *arguments):
    done = subprocess.run([os.path.join(BIN, name), "-q", *arguments], stdout=subprocess.PIPE, check=True)
    return done.stdout


def write_stream(path, kind, records, **header):
    with open(path, "wb") as file:
        for value in ([{"type": "header", "blades": 1, "kind": kind, **header}]
                      + [{"type": kind, **r} for r in records]
                      + [{"type": "trailer", "records": len(records), "errors": 0}]):
            file.write(msgpack.packb(value))


def read_stream(data):
    unpacker = msgpack.Unpacker(raw=False, max_buffer_size=1 << 30)
    unpacker.feed(data)
    values = list(unpacker)
    return values[0], values[1:-1]


def write_safetensors(path, tensors):
    header, offset = {}, 0
    for name, value in tensors.items():
        header[name] = {"dtype": "F64", "shape": list(value.shape), "data_offsets": [offset, offset + 8 * value.size]}
        offset += 8 * value.size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for value in tensors.values():
            file.write(np.ascontiguousarray(value, "<f8").tobytes())


def read_safetensors(path):
    with open(path, "rb") as file:
        data = file.read()
    size = struct.unpack("<Q", data[:8])[0]
    header, body = json.loads(data[8:8 + size]), data[8 + size:]
    metadata = header.pop("__metadata__", {})
    types = {"F64": "<f8", "F32": "<f4", "U8": "u1"}
    return {k: np.frombuffer(body[v["data_offsets"][0]:v["data_offsets"][1]], types[v["dtype"]]).reshape(v["shape"])
            for k, v in header.items()}, metadata


def embeddings(rng, count, dimension, clusters, shift=0.0):
    """Unit vectors about a few centres, correlated, as float32."""
    centres = rng.normal(size=(clusters, dimension))
    mix = np.eye(dimension) + 0.3 * rng.normal(size=(dimension, dimension)) / np.sqrt(dimension)
    x = centres[rng.integers(clusters, size=count)] + rng.normal(size=(count, dimension)) @ mix + shift
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)


def records(x, label, source):
    return [{"id": f"{source}/{i}", "vector": v.tobytes(), "label": label, "source": source} for i, v in enumerate(x)]


def relative(a, b):
    return np.max(np.abs(a - b)) / np.max(np.abs(b))


def compare_mixtures(rng):
    x, held = embeddings(rng, 1500, 24, 4), embeddings(rng, 300, 24, 4)
    write_stream("x", "embedding", records(x, "photographic", "a"))
    write_stream("held", "embedding", records(held, "photographic", "b"))
    k = 4
    responsibilities = rng.dirichlet(np.full(k, 0.3), size=len(x))
    names = {"full": "full", "diagonal": "diag", "tied": "tied"}
    for ours, theirs in names.items():
        reference = GaussianMixture(k, covariance_type=theirs, tol=1e-3, reg_covar=1e-6, max_iter=100)
        start = GaussianMixture(k, covariance_type=theirs, reg_covar=1e-6)
        start._initialize(x.astype(float), responsibilities)
        precisions = {"full": lambda c: c @ np.swapaxes(c, 1, 2), "diag": lambda c: c ** 2, "tied": lambda c: c @ c.T}
        precision = precisions[theirs](start.precisions_cholesky_)
        reference.set_params(weights_init=start.weights_ / start.weights_.sum(), means_init=start.means_,
                             precisions_init=precision)
        reference.fit(x.astype(float))  # scikit-learn computes squares of float32 in float32
        write_safetensors("responsibilities", {"responsibilities": responsibilities})
        write_safetensors("mixture", {"weights": start.weights_, "means": start.means_, "precisions": precision})
        for init in ("responsibilities", "mixture"):
            tool("gmm-fit", "--covariance", ours, "--init", init, "--calibrate", "fit", "-o", "g", "x")
            tensors, metadata = read_safetensors("g")
            worst = max(relative(tensors["means"], reference.means_), relative(tensors["weights"], reference.weights_),
                        relative(tensors["covariances"], reference.covariances_))
            check(f"{ours} mixture from {init}: means, weights, covariances", worst < 1e-6, worst)
            scores = np.array([r["score"] for r in read_stream(tool("score", "-d", "g", "held"))[1]])
            worst = relative(scores, reference.score_samples(held.astype(float)))
            check(f"{ours} mixture from {init}: log-likelihoods", worst < 1e-8, worst)
            threshold = np.quantile(reference.score_samples(x.astype(float)), 0.05)
            check(f"{ours} mixture from {init}: threshold", abs(float(metadata["threshold"]) - threshold) < 1e-6,
                  (metadata["threshold"], threshold))
    p = read_stream(tool("score", "-d", "g", "held"))[1]
    ascending = np.sort(reference.score_samples(x))
    share = np.searchsorted(ascending, [r["score"] for r in p], side="right") / len(ascending)
    check("p-values are shares of the calibration faces", np.abs(share - [r["p_value"] for r in p]).max() < 2 / len(x))


def compare_selection(rng):
    centres = 4 * np.eye(6)[:3]
    x = (np.repeat(centres, 200, axis=0) + 0.3 * rng.normal(size=(600, 6))).astype(np.float32)
    write_stream("x", "embedding", records(x, "photographic", "a"))
    tool("gmm-fit", "-k", "1:6", "--starts", "3", "--calibrate", "fit", "-o", "g", "x")
    tensors, _ = read_safetensors("g")
    bic = [GaussianMixture(k, n_init=3, random_state=0).fit(x).bic(x) for k in range(1, 7)]
    check("BIC chooses the same number of components", len(tensors["weights"]) == 1 + np.argmin(bic),
          (len(tensors["weights"]), bic))


def compare_shrinkage(rng):
    """One component is one sample covariance; two follow scikit-learn's formula for as many faces as each holds."""
    x = embeddings(rng, 60, 40, 3)
    write_stream("x", "embedding", records(x, "photographic", "a"))
    tool("gmm-fit", "-k", "1", "--calibrate", "fit", "-o", "g", "x")  # few faces: automatic
    tensors, _ = read_safetensors("g")
    expected = OAS().fit(x.astype(float)).covariance_ + 1e-6 * np.eye(40)
    worst = relative(tensors["covariances"][0], expected)
    check("shrunk covariance of one component", worst < 1e-9, worst)
    tool("gmm-fit", "-k", "1", "--covariance", "tied", "--calibrate", "fit", "-o", "g", "x")
    worst = relative(read_safetensors("g")[0]["covariances"], expected)
    check("shrunk tied covariance", worst < 1e-9, worst)
    parts = np.arange(60) < 25
    write_safetensors("responsibilities", {"responsibilities": np.stack([parts, ~parts], axis=1).astype(float)})
    tool("gmm-fit", "--shrinkage", "oas", "--init", "responsibilities", "--max-iterations", "0", "--calibrate", "fit",
         "-o", "g", "x")
    covariances = read_safetensors("g")[0]["covariances"]
    worst = max(relative(c, OAS().fit(x[p].astype(float)).covariance_ + 1e-6 * np.eye(40))
                for c, p in zip(covariances, (parts, ~parts)))
    check("shrunk covariances of two components", worst < 1e-9, worst)


def compare_classifiers(rng):
    """The classifiers by numpy on the weights that mlp-fit wrote, and k nearest neighbours by scikit-learn."""
    x, y, z = embeddings(rng, 300, 16, 3), embeddings(rng, 120, 16, 3, 0.7), embeddings(rng, 80, 16, 3, 0.4)
    write_stream("x", "embedding", records(x, "photographic", "a") + records(y, "generated", "g"))
    write_stream("z", "embedding", records(z, "", "z"))
    sigmoid = lambda v: 1 / (1 + np.exp(-v))
    for kind in ("mlp", "linear", "knn"):
        tool("mlp-fit", "--classifier", kind, "--neighbours", "9", "--epochs", "20", "-o", "c", "x")
        t, metadata = read_safetensors("c")
        scores = np.array([r["score"] for r in read_stream(tool("score", "-d", "c", "z"))[1]])
        if kind == "knn":
            near = NearestNeighbors(n_neighbors=9, metric="cosine", algorithm="brute").fit(t["vectors"])
            found = t["labels"][near.kneighbors(z, return_distance=False)]
            g = found.sum(axis=1) / t["labels"].sum()
            expected = g / (g + (1 - found).sum(axis=1) / (1 - t["labels"]).sum())
        else:
            h = np.maximum(z @ t["fc1.weight"].T + t["fc1.bias"], 0) if kind == "mlp" else z
            out = h @ t["fc2.weight"].T + t["fc2.bias"]
            expected = sigmoid(out[:, 1] - out[:, 0])
        worst = np.abs(scores - expected).max()
        check(f"probabilities of {kind}", worst < 1e-5, worst)
        check(f"{kind}: calibration scores are probabilities of a fifth of the photographs",
              len(t["calibration_scores"]) == 60 and 0 <= t["calibration_scores"].min(), t["calibration_scores"])


def compare_pairs(rng):
    """The interval of the difference of two AUCs is that of a paired bootstrap."""
    n, rows, table = 150, [], []
    for i in range(2 * n):
        generated = i >= n
        shared = rng.normal() + 0.8 * generated
        rows.append({"id": str(i), "score": float(shared), "label": "generated" if generated else "photographic",
                     "source": "gan" if generated else "photos"})
        table.append((str(i), shared + 0.3 * rng.normal()))
    write_stream("s", "score", rows, detector="mlp", higher="generated")
    kept = [i for i in range(2 * n) if i % 10]  # the other method lacks a tenth
    with open("other.tsv", "w") as file:
        file.writelines(f"{table[i][0]}\t{table[i][1]:.17g}\n" for i in kept)
    out = json.loads(tool("evaluate", "--format", "json", "--method", "one=s", "--method", "other=other.tsv",
                          "--compare", "other"))["differences"][0]
    y = np.array([rows[i]["label"] == "generated" for i in kept])
    one, other = np.array([rows[i]["score"] for i in kept]), np.array([table[i][1] for i in kept])
    expected = metrics.roc_auc_score(y, one) - metrics.roc_auc_score(y, other)
    auc = out["mean"]["auc"]
    check("difference of AUCs on common faces", out["faces"] == len(kept) and abs(auc["value"] - expected) < 1e-12, out)
    draws = {True: [], False: []}
    for _ in range(1000):
        parts = [rng.choice(np.flatnonzero(y == c), (y == c).sum()) for c in (False, True)]
        i = np.concatenate(parts)
        j = np.concatenate([rng.choice(np.flatnonzero(y == c), (y == c).sum()) for c in (False, True)])
        first = metrics.roc_auc_score(y[i], one[i])
        draws[True].append(first - metrics.roc_auc_score(y[i], other[i]))
        draws[False].append(first - metrics.roc_auc_score(y[j], other[j]))
    width = {paired: np.ptp(np.quantile(d, [0.025, 0.975])) for paired, d in draws.items()}
    ours = auc["high"] - auc["low"]
    check(f"its interval {ours:.4f} is a paired bootstrap's {width[True]:.4f}, not an unpaired one's {width[False]:.4f}",
          0.85 < ours / width[True] < 1.15 and ours < 0.5 * width[False])


def compare_taken(rng):
    """With --per-class, intervals are those of a bootstrap of the faces taken, the mean's as well: rows share photographs."""
    sizes = {("photos", False): 3000, ("others", False): 1000, ("gan", True): 900, ("diffusion", True): 300}
    said = {source: rng.permutation(n) < share * n for ((source, _), n), share in zip(sizes.items(), (0.1, 0.02, 0.1, 0.7))}
    rows = [{"id": f"{source}/{i}", "score": 0.0, "generated": bool(said[source][i]), "source": source,
             "label": "generated" if generated else "photographic"}
            for (source, generated), n in sizes.items() for i in range(n)]
    write_stream("s", "score", rows, detector="mlp", higher="generated")
    out = json.loads(tool("evaluate", "--format", "json", "--per-class", "400", "--bootstrap", "4000", "s"))["methods"][0]
    draws = {}
    for row in out["generators"]:
        taken = row["photographic"]
        check(f"--per-class takes equally many, {row['generator']}", taken == row["generated"] == min(
            400, sizes[row["generator"], True]), row)
        right = {k: rng.binomial(taken, row[k]["value"], 20000) / taken for k in ("tnr", "tpr")}
        draws[row["generator"]] = right
        for k, d in dict(right, accuracy=(right["tnr"] + right["tpr"]) / 2).items():
            expected = np.quantile(d, [0.025, 0.975])
            found = np.array([row[k]["low"], row[k]["high"]])
            check(f"interval of {k} with --per-class, {row['generator']}", np.abs(found - expected).max() < 0.006,
                  (found, expected))
    # diffusion's 300 photographs are among gan's 400: the variance of the mean of both TNR
    p = np.mean([row["tnr"]["value"] for row in out["generators"]])
    shared = np.sqrt(p * (1 - p) * (1 / 400 + 1 / 300 + 2 / 400) / 4)
    width = (out["mean"]["tnr"]["high"] - out["mean"]["tnr"]["low"]) / (2 * 1.96)
    apart = np.sqrt(p * (1 - p) * (1 / 400 + 1 / 300) / 4)
    check(f"the mean's deviation {width:.4f} is that of shared photographs {shared:.4f}, not of others {apart:.4f}",
          abs(width / shared - 1) < 0.06 < abs(width / apart - 1))


def tpr_at(labels, scores, rate):
    fpr, tpr, _ = metrics.roc_curve(labels, scores, drop_intermediate=False)
    return tpr[fpr <= rate].max()


def compare_metrics(rng):
    sizes = {("a", 0): 400, ("b", 0): 150, ("gan", 1): 220, ("diffusion", 1): 90}
    shift = {"a": 0, "b": 0.2, "gan": -1.2, "diffusion": -0.4}
    rows, table = [], []
    for (source, generated), count in sizes.items():
        for i, s in enumerate(np.round(rng.normal(size=count) + shift[source], 1)):  # rounded: many ties
            rows.append({"id": f"{source}/{i}", "score": float(s), "generated": bool(s < -1.0), "threshold": -1.0,
                         "label": "generated" if generated else "photographic", "source": source})
            table.append(f"{source}/{i}\t{-s:.1f}")
    write_stream("s", "score", rows, detector="gmm", higher="photographic")
    with open("table.tsv", "w") as file:
        file.write("\n".join(table) + "\n")
    out = json.loads(tool("evaluate", "--format", "json", "--bootstrap", "200", "--pair", "gan=b",
                          "--column", "table=table.tsv", "--threshold", "table=1.0", "s"))
    for method in out["methods"]:
        for row in method["generators"] + [dict(method["overall"], generator=None)]:
            photos = {"gan": ("b",)}.get(row["generator"], ("a", "b"))
            used = [r for r in rows if r["source"] in photos or row["generator"] in (r["source"], None)]
            y = np.array([r["label"] == "generated" for r in used])
            s = -np.array([r["score"] for r in used])
            said = s > 1.0
            tn, fp, fn, tp = metrics.confusion_matrix(y, said).ravel()
            expected = {"auc": metrics.roc_auc_score(y, s), "ap": metrics.average_precision_score(y, s),
                        "accuracy": metrics.accuracy_score(y, said), "tnr": tn / (tn + fp), "fpr": fp / (tn + fp),
                        "tpr": tp / (tp + fn), "fnr": fn / (tp + fn), "f": metrics.f1_score(y, said),
                        "tpr_at_1_fpr": tpr_at(y, s, 0.01), "tpr_at_5_fpr": tpr_at(y, s, 0.05)}
            worst = max(abs(row[k]["value"] - v) for k, v in expected.items())
            check(f"metrics of {method['name']}, {row['generator'] or 'overall'}", worst < 1e-12, worst)
            check(f"intervals of {method['name']}, {row['generator'] or 'overall'}, hold the values",
                  all(row[k]["low"] <= row[k]["value"] <= row[k]["high"] for k in ("auc", "accuracy")), row)
    means = [np.mean([g["auc"]["value"] for g in m["generators"]]) - m["mean"]["auc"]["value"] for m in out["methods"]]
    check("means over generators", np.abs(means).max() < 1e-12, means)
    auc = out["methods"][0]["generators"][0]["auc"]
    draws = []
    used = [r for r in rows if r["source"] in ("a", "b")], [r for r in rows if r["source"] == "diffusion"]
    for _ in range(400):
        s = [rng.choice([-r["score"] for r in part], len(part)) for part in used]
        draws.append(metrics.roc_auc_score([0] * len(s[0]) + [1] * len(s[1]), np.concatenate(s)))
    expected = np.quantile(draws, [0.025, 0.975])
    check("the interval's width is a bootstrap's", 0.7 < (auc["high"] - auc["low"]) / np.ptp(expected) < 1.4,
          (auc, expected))


def divergence(x, y, perplexity):
    """Kullback-Leibler divergence of a layout with scikit-learn's own affinities, all pairs."""
    k = min(len(x) - 1, int(3 * perplexity + 1))
    distances = NearestNeighbors(n_neighbors=k).fit(x).kneighbors_graph(mode="distance")
    distances.data **= 2
    p = _joint_probabilities_nn(distances, perplexity, 0).tocoo()
    z = 2 * (1 / (1 + pdist(y, "sqeuclidean"))).sum()
    q = 1 / (1 + ((y[p.row] - y[p.col]) ** 2).sum(axis=1)) / z
    kept = p.data > 0
    return float((p.data * np.log(p.data / q))[kept].sum())


def compare_layouts(rng):
    x = embeddings(rng, 800, 32, 6)
    write_stream("x", "embedding", records(x, "photographic", "a"))
    header, points = read_stream(tool("tsne", "--perplexity", "20", "x"))
    ours = divergence(x, np.array([[p["x"], p["y"]] for p in points]), 20)
    check("the divergence reported is that of the points", abs(ours - header["kl_divergence"]) < 1e-4 * ours,
          (ours, header["kl_divergence"]))
    reference = TSNE(perplexity=20, init="pca", learning_rate="auto", random_state=0, n_jobs=2).fit(x)
    theirs = divergence(x, reference.embedding_.astype(float), 20)
    check(f"t-SNE: divergence {ours:.4f} at most 1 % above scikit-learn's {theirs:.4f}", ours < 1.01 * theirs)
    header, points = read_stream(tool("tsne", "--method", "pca", "x"))
    pca = PCA(2, svd_solver="full").fit(x.astype(float))
    projected = pca.transform(x.astype(float))
    ours = np.array([[p["x"], p["y"]] for p in points])
    signs = np.sign((ours * projected).sum(axis=0))
    check("principal components", np.abs(ours * signs - projected).max() < 1e-6, np.abs(ours * signs - projected).max())
    check("their shares of the variance", np.abs(header["variance_share"] - pca.explained_variance_ratio_).max() < 1e-6)


def main():
    rng = np.random.default_rng(7)
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        compare_mixtures(rng)
        compare_selection(rng)
        compare_shrinkage(rng)
        compare_classifiers(rng)
        compare_metrics(rng)
        compare_pairs(rng)
        compare_taken(rng)
        compare_layouts(rng)
        os.chdir(ROOT)
    print(f"1..{len(results)}")
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()
