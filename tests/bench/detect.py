#!/usr/bin/python3
"""Times gmm-fit and tsne beside scikit-learn: same data, same start, same iterations, 2 threads, one run each in turn.

The mixture: 10 full components, 25 000 x 768 float32, 3 iterations. Every program runs in a process of its own, whose
time covers reading the data and fitting, and whose memory is the peak of its resident set."""
import json
import os
import resource
import struct
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BIN = os.path.abspath(os.environ.get("BLADES_BIN", os.path.join(ROOT, "build", "bin")))
ENVIRONMENT = dict(os.environ, OMP_NUM_THREADS="2", OPENBLAS_NUM_THREADS="2")
FACES, DIMENSION, COMPONENTS, ITERATIONS = (int(v) for v in os.environ.get("BENCH_GMM", "25000 768 10 3").split())
POINTS = int(os.environ.get("BENCH_TSNE", "5000"))

GMM = """
import numpy as np, sys, time, warnings
warnings.filterwarnings("ignore")
x = np.load("x.npy")
begun = time.monotonic()
from sklearn.mixture import GaussianMixture
s = np.load("start.npz")
g = GaussianMixture(len(s["means"]), covariance_type="full", weights_init=s["weights"], means_init=s["means"],
                    precisions_init=s["precisions"], tol=0, reg_covar=1e-6, max_iter=int(sys.argv[1]))
g._initialize = lambda X, resp: (setattr(g, "weights_", g.weights_init), setattr(g, "means_", g.means_init),
                                 setattr(g, "precisions_cholesky_", s["cholesky"]))
g._initialize_parameters = lambda X, random_state: g._initialize(X, None)  # no k-means, whose result is not used
begun = time.monotonic()
g.fit(x)
print("fit", time.monotonic() - begun, g.lower_bound_)
"""

TSNE = """
import numpy as np, time
from sklearn.manifold import TSNE
from sklearn.manifold._t_sne import _joint_probabilities_nn
x = np.load("t.npy")
begun = time.monotonic()
t = TSNE(init="pca", learning_rate="auto", n_jobs=2, random_state=0).fit(x)
print("fit", time.monotonic() - begun, t.kl_divergence_)
np.save("theirs.npy", t.embedding_)
"""


def run(command):
    """Seconds, peak resident MiB, standard output and error of a command."""
    begun = time.monotonic()
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT)
    out, err = child.communicate()
    seconds = time.monotonic() - begun
    if child.returncode:
        sys.exit(f"{command[0]}: status {child.returncode}\n{err}")
    return seconds, out + err


def peak(command):
    """run() with the peak memory, through a process of its own."""
    reader, writer = os.pipe()
    if os.fork() == 0:
        seconds, text = run(command)
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        os.write(writer, json.dumps([seconds, usage.ru_maxrss / 1024, text]).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as file:
        text = file.read()
    os.wait()
    if not text:
        sys.exit(1)
    return json.loads(text)


def write_stream(path, x):
    import msgpack
    with open(path, "wb") as file:
        file.write(msgpack.packb({"type": "header", "blades": 1, "kind": "embedding"}))
        for i, row in enumerate(x):
            file.write(msgpack.packb({"type": "embedding", "id": str(i), "vector": row.tobytes()}))
        file.write(msgpack.packb({"type": "trailer", "records": len(x), "errors": 0}))


def write_start(path, tensors):
    header, offset = {}, 0
    for name, value in tensors.items():
        header[name] = {"dtype": "F64", "shape": list(value.shape), "data_offsets": [offset, offset + value.nbytes]}
        offset += value.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(v.tobytes() for v in tensors.values()))


def unit(rng, count, dimension, clusters):
    """Overlapping clusters of correlated unit vectors."""
    import numpy as np
    x = 0.5 * rng.normal(size=(clusters, dimension))[rng.integers(clusters, size=count)]
    x = x + rng.normal(size=(count, dimension)) * np.linspace(1.5, 0.2, dimension)
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)


def make_data():
    import numpy as np
    rng = np.random.default_rng(1)
    x = unit(rng, FACES, DIMENSION, COMPONENTS)
    np.save("x.npy", x)
    write_stream("x.msgpack", x)
    means = x[:COMPONENTS].astype(float)
    spread = np.tile(np.diag(x.var(axis=0).astype(float) + 1e-6), (COMPONENTS, 1, 1))
    start = {"weights": np.full(COMPONENTS, 1 / COMPONENTS), "means": means, "covariances": spread}
    write_start("start", start)
    diagonal = np.tile(np.diag(1 / np.diagonal(spread[0])), (COMPONENTS, 1, 1))
    np.savez("start.npz", weights=start["weights"], means=means, precisions=diagonal, cholesky=np.sqrt(diagonal))
    t = unit(rng, POINTS, 64, 10)
    np.save("t.npy", t)
    write_stream("t.msgpack", t)


def exact_divergences():
    """Kullback-Leibler divergences of both layouts, all pairs, the same affinities."""
    return """
import msgpack, numpy as np
from sklearn.manifold._t_sne import _joint_probabilities_nn
from sklearn.neighbors import NearestNeighbors
from scipy.spatial.distance import pdist
x = np.load("t.npy")
d = NearestNeighbors(n_neighbors=91).fit(x).kneighbors_graph(mode="distance"); d.data **= 2
p = _joint_probabilities_nn(d, 30, 0).tocoo()
def kl(y):
    z = 2 * (1 / (1 + pdist(y, "sqeuclidean"))).sum()
    q = 1 / (1 + ((y[p.row] - y[p.col]) ** 2).sum(1)) / z
    m = p.data > 0
    return (p.data * np.log(p.data / q))[m].sum()
points = [r for r in msgpack.Unpacker(open("points", "rb"), raw=False) if r["type"] == "point"]
print(kl(np.array([[r["x"], r["y"]] for r in points])), kl(np.load("theirs.npy").astype(float)))
"""


def main():
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        child = os.fork()
        if child == 0:  # numpy's memory stays out of this process, which others are forked from
            make_data()
            os._exit(0)
        if os.waitpid(child, 0)[1]:
            sys.exit("the data could not be made: are python3-numpy and python3-msgpack installed?")
        tool = [os.path.join(BIN, "gmm-fit"), "-j2", "--init", "start", "--calibrate", "fit", "--tolerance", "0",
                "--max-iterations", str(ITERATIONS), "-o", "g", "x.msgpack"]
        ours = peak(tool)
        theirs = peak(["/usr/bin/python3", "-c", GMM, str(ITERATIONS)])
        fit = float(theirs[2].split()[1])
        print(f"mixture of {COMPONENTS} full components, {FACES} x {DIMENSION}, {ITERATIONS} iterations, 2 threads")
        print(f"  gmm-fit       {ours[0]:7.2f} s  {ours[1]:6.0f} MiB  (reading, fitting, calibrating, writing)")
        print(f"  scikit-learn  {fit:7.2f} s  {theirs[1]:6.0f} MiB  (fitting alone)")
        print(f"  {fit / ours[0]:.2f} times as fast, {ours[1] / theirs[1]:.2f} of the memory")
        print("  " + next(line for line in ours[2].splitlines() if "log-likelihood" in line)
              + f"; scikit-learn {float(theirs[2].split()[2]):.4f}")
        ours = peak([os.path.join(BIN, "tsne"), "-j2", "-o", "points", "t.msgpack"])
        theirs = peak(["/usr/bin/python3", "-c", TSNE])
        fit = float(theirs[2].split()[1])
        kl = run(["/usr/bin/python3", "-c", exact_divergences()])[1].split()
        print(f"t-SNE of {POINTS} points, 2 threads")
        print(f"  tsne          {ours[0]:7.2f} s  {ours[1]:6.0f} MiB  divergence {float(kl[0]):.4f}")
        print(f"  scikit-learn  {fit:7.2f} s  {theirs[1]:6.0f} MiB  divergence {float(kl[1]):.4f}")
        print(f"  {fit / ours[0]:.2f} times as fast")
        os.chdir(ROOT)
    print("embed beside PyTorch and onnxruntime: make bench-encoder")


if __name__ == "__main__":
    main()
