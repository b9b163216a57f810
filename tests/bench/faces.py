#!/usr/bin/python3
"""Faces per second: decoding a photo and making its five variants at 224, one thread, by face-manipulate and
by the same work in Python with OpenCV and scikit-image's piecewise affine warp. Run by `make bench-faces`."""
import json
import os
import subprocess
import tempfile
import time
import warnings

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before NumPy comes
import cv2
import msgpack
import numpy as np
from skimage.transform import PiecewiseAffineTransform, warp

warnings.simplefilter("ignore")
cv2.setNumThreads(1)
TOOL = os.path.join(os.environ.get("BLADES_BIN", "build/bin"), "face-manipulate")
DATA = os.environ.get("BLADES_DATA", "../shared/data")


def drawn_faces(folder, count, height, width):
    rng = np.random.default_rng(1)
    unit = min(height, width) / 7
    corners = {36: (-.7, 0), 39: (-.3, 0), 42: (.3, 0), 45: (.7, 0), 33: (0, .76), 48: (-.42, 1.03), 54: (.44, 1.03)}
    for i in range(count):
        noise = rng.normal(0, 1, (height, width, 3)).astype(np.float32)
        image = np.clip(cv2.GaussianBlur(noise, (0, 0), 3) * 250 + 128, 0, 255).astype(np.uint8)
        path = f"{folder}/{height}-{i}.jpg"
        cv2.imwrite(path, image, [cv2.IMWRITE_JPEG_QUALITY, 92])
        centre = np.array([width, height]) / 2 - [0, unit / 2]
        points = rng.uniform(-1, 1, (68, 2)) * unit + centre
        for k, at in corners.items():
            points[k] = np.array(at) * unit + centre
        box = [*(centre + [-1.15 * unit, -.5 * unit]), *(centre + [1.15 * unit, 1.8 * unit])]
        yield {"type": "photo", "id": path, "path": path, "faces": [{"box": box, "landmarks": points.ravel().tolist()}]}


def real_faces(count):
    path = f"{DATA}/train/annotations.jsonl"
    if not os.path.exists(path):
        return []
    with open(path) as f:
        lines = [json.loads(line) for line in f if '"celeba' not in line]
    lines = lines[:: max(1, len(lines) // count)][:count]
    return [{"type": "photo", "id": f"{DATA}/train/{x['path']}", "path": f"{DATA}/train/{x['path']}", "faces": x["faces"]}
            for x in lines]


def repeated(records, times):
    """So many that starting the program does not count."""
    return [{**record, "id": f"{record['id']}-{i}"} for i in range(times) for record in records]


def stream(records):
    return (msgpack.packb({"type": "header", "blades": 1, "kind": "photo"}) + b"".join(map(msgpack.packb, records))
            + msgpack.packb({"type": "trailer", "records": len(records), "errors": 0}))


def ours(records, *options):
    data = stream(records)
    start = time.perf_counter()
    done = subprocess.run([TOOL, "-j", "1", "-v", *options], input=data, stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, check=True)
    taken = time.perf_counter() - start
    share = [line for line in done.stderr.decode().splitlines() if "decoding took" in line][0]
    return len(records) / taken, float(share.split("(")[1].split()[0])


def soft_mask(region, nose):
    mask = np.zeros((224, 224), np.float32)
    mask[region[1]:region[3], region[0]:region[2]] = 1
    count, sigma = (15, 2) if nose else (91, 7)
    kept = (cv2.GaussianBlur(mask, (count, count), sigma) >= .5).astype(np.float32)
    eroded = cv2.erode(kept, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (15, 15)))
    soft = cv2.GaussianBlur(eroded if eroded.any() else kept, (51, 51), 10)
    return soft / soft.max()


def region(a, b, divisor, factor):
    a, b = a.astype(int), b.astype(int)
    mask = np.zeros((224, 224), np.uint8)
    cv2.line(mask, tuple(map(int, a)), tuple(map(int, b)), 1, 2)
    mask = cv2.dilate(mask, cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3)),
                      iterations=factor * int(np.hypot(*(a - b)) // divisor))
    x, y, w, h = cv2.boundingRect(mask)
    return x, y, x + w, y + h


def flip(face, where, code, rng):
    left, top, right, bottom = max(where[0] - 5, 0), max(where[1] - 5, 0), min(where[2] + 5, 224), min(where[3] + 5, 224)
    changed = face.copy()
    changed[top:bottom, left:right] = cv2.flip(face[top:bottom, left:right], code)
    m = (rng.choice([.75, 1, 1, 1]) * soft_mask(where, False))[:, :, None]
    return (m * changed + (1 - m) * face + .5).astype(np.uint8)


def warped(face, rng):
    rows, columns = rng.integers(2, 5, 2)
    xs, ys = np.meshgrid(np.linspace(0, 224, columns), np.linspace(0, 224, rows))
    points = np.dstack([xs.flat, ys.flat])[0]
    moved = np.clip(points + rng.normal(0, rng.uniform(.04, .05) * 224, points.shape), 0, 223)
    transform = PiecewiseAffineTransform()
    transform.estimate(points, moved)
    return (warp(face, transform, order=1, cval=0, preserve_range=True) + .5).astype(np.uint8)


def python(records):
    rng = np.random.default_rng(1)
    start = time.perf_counter()
    for record in records:
        image = cv2.imread(record["path"])
        x0, y0, x1, y1 = record["faces"][0]["box"]
        side = int(1.3 * max(x1 - x0, y1 - y0))
        left, top = int((x0 + x1) // 2) - side // 2, int((y0 + y1) // 2) - side // 2
        crop = image[max(top, 0):top + side, max(left, 0):left + side]
        face = cv2.resize(crop, (224, 224), interpolation=cv2.INTER_AREA)
        points = np.array(record["faces"][0]["landmarks"]).reshape(-1, 2)
        points = (points - [max(left, 0), max(top, 0)]) * [224 / crop.shape[1], 224 / crop.shape[0]]
        mouth, eye = region(points[48], points[54], 3, 1), region(points[42], points[45], 4, 2)
        made = [face, flip(face, mouth, -1, rng), flip(face, mouth, 1, rng), flip(face, eye, 1, rng), warped(face, rng)]
        assert len(made) == 5
    return len(records) / (time.perf_counter() - start)


def main():
    with tempfile.TemporaryDirectory() as folder:
        cases = [("256 x 256", real_faces(200) or list(drawn_faces(folder, 100, 256, 256))),
                 ("1600 x 1200", repeated(list(drawn_faces(folder, 40, 1200, 1600)), 4)),
                 ("4000 x 3000", repeated(list(drawn_faces(folder, 8, 3000, 4000)), 5))]
        print(f"{'photos':>12} {'face-manipulate':>16} {'Python':>10} {'ratio':>7} {'decoder share':>14}")
        for name, records in cases:
            ours(records), python(records[:2])
            pairs = [(ours(records), python(records[:20])) for _ in range(5)]
            rate, share = sorted(fast for fast, _ in pairs)[2]
            slow = sorted(slow for _, slow in pairs)[2]
            print(f"{name:>12} {rate:>14.1f}/s {slow:>8.2f}/s {rate / slow:>6.1f}x {share:>13.1f}%")


main()
