#!/usr/bin/python3
"""face-manipulate against a second implementation of the manipulations in numpy, OpenCV and scikit-image.

The random choices come from face-manipulate's --trace; everything that can be computed from them is computed
again: which variants there are, crop, regions, soft masks, flips, warps, and the way from the working size to a smaller
one. Masks and flips must agree within one grey level, warps and smaller faces too. Photographs are drawn here; those of
$BLADES_DATA are used as well where that folder exists. Arguments: the numbers of the cases to compare, from 0 on.
"""
import json
import os
import struct
import subprocess
import sys
import warnings
import tempfile

try:
    import cv2
    import msgpack
    import numpy as np
    from PIL import Image
    from skimage.transform import PiecewiseAffineTransform, warp
except ImportError as missing:
    print(f"ok 1 - face manipulations # SKIP {missing}")
    print("1..1")
    sys.exit(0)

warnings.simplefilter("ignore")
DATA = os.environ.get("BLADES_DATA", "../shared/data")
failures = 0
tests = 0


def check(good, text):
    global failures, tests
    tests += 1
    failures += not good
    print(f"{'ok' if good else 'not ok'} {tests} - {text}")


# ---- Photographs ------------------------------------------------------------------------------------------

# A frontal face, in units of the distance of the eyes: only what the manipulations look at is exact.
KEY = {36: (-.7, .02), 39: (-.3, 0), 42: (.31, .01), 45: (.7, -.02), 33: (.01, .76), 48: (-.42, 1.03), 54: (.44, 1.05)}


def landmarks68(rng, centre, distance):
    tilt = rng.normal(0, .15)
    turn = np.array([[np.cos(tilt), -np.sin(tilt)], [np.sin(tilt), np.cos(tilt)]])
    points = rng.uniform(-1, 1, (68, 2)) + [0, .7]
    for i, at in KEY.items():
        points[i] = at
    points[list(KEY)] += rng.normal(0, .03, (len(KEY), 2))
    return points @ turn.T * distance + centre


def scheme(points, count):
    eyes = [(points[36] + points[39]) / 2, (points[42] + points[45]) / 2]
    nose = points[33] * .8 + (eyes[0] + eyes[1]) / 2 * .2
    if count == 5:
        return np.array(eyes + [nose, points[48], points[54]])
    if count == 7:
        return np.array([nose, eyes[1], eyes[0]] + [points[0]] * 4)
    return points


def drawn_photo(rng, height, width):
    noise = rng.normal(0, 1, (height, width, 3)).astype(np.float32)
    coarse = cv2.GaussianBlur(noise, (0, 0), 9) * 9 * 40
    fine = cv2.GaussianBlur(noise, (0, 0), 1.2) * 1.2 * 25
    return np.clip(coarse + fine + 128, 0, 255).astype(np.uint8)


def exif(orientation):
    return b"MM\0*\0\0\0\x08" + struct.pack(">HHHIHHI", 1, 0x0112, 3, 1, orientation, 0, 0)


def jpeg_with_orientation(path, image, orientation):
    data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()
    block = b"Exif\0\0" + exif(orientation)
    with open(path, "wb") as f:
        f.write(data[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block + data[2:])


def drawn_photos(folder, rng):
    for i in range(24):
        height, width = (int(n) for n in rng.integers(150, 900, 2))
        image = drawn_photo(rng, height, width)
        distance = rng.uniform(.1, .24) * min(height, width)
        points = landmarks68(rng, rng.uniform(.3, .6, 2) * [width, height], distance)
        middle = points[list(KEY)].mean(0)
        box = np.concatenate([middle - 1.15 * distance, middle + 1.15 * distance])
        if i % 3 == 0:
            path = f"{folder}/{i}.png"
            cv2.imwrite(path, image)
        else:
            path = f"{folder}/{i}.jpg"
            jpeg_with_orientation(path, image, i % 8 + 1)
        few = scheme(points, (68, 68, 5, 7)[i % 4])
        face = {"box": box.tolist(), "scheme": str(len(few)), "landmarks": few.ravel().tolist()}
        if i == 20:
            face = {"box": box.tolist()}
        yield {"type": "photo", "id": path, "path": path, "faces": [face]}


def photos_at_borders(folder, rng):
    """Faces half outside, at corners and larger than the photo, of every scheme and orientation; and photos so large
    that they are decoded reduced."""
    for i in range(32):
        large = i % 8 == 7
        height, width = (1600, 1200) if large else (int(n) for n in rng.integers(120, 400, 2))
        image = drawn_photo(rng, height, width)
        distance = (.28 if large else rng.uniform(.15, .5)) * min(height, width)
        at = [rng.choice([.02, .5, .98]), rng.choice([.02, .5, .98])] if not large else [.5, .4]
        points = landmarks68(rng, np.array(at) * [width, height], distance)
        middle = points[list(KEY)].mean(0)
        box = np.concatenate([middle - 1.15 * distance, middle + 1.15 * distance])
        path = f"{folder}/border{i}.jpg"
        jpeg_with_orientation(path, image, i % 8 + 1)
        few = scheme(points, (68, 5, 7)[i % 3])
        face = {"box": box.tolist(), "scheme": str(len(few)), "landmarks": few.ravel().tolist()}
        if box[0] < width and box[1] < height and box[2] > 0 and box[3] > 0:
            yield {"type": "photo", "id": path, "path": path, "faces": [face]}


def real_photos():
    path = f"{DATA}/train/annotations.jsonl"
    if not os.path.exists(path):
        return
    with open(path) as f:
        lines = [json.loads(line) for line in f]
    for line in lines[::400]:
        path = f"{DATA}/train/{line['path']}"
        yield {"type": "photo", "id": path, "path": path, "faces": line["faces"]}


def stream(records):
    out = msgpack.packb({"type": "header", "blades": 1, "kind": "photo"})
    out += b"".join(msgpack.packb(r) for r in records)
    return out + msgpack.packb({"type": "trailer", "records": len(records), "errors": 0})


def run(records, folder, *options):
    trace = f"{folder}/trace"
    tool = os.path.join(os.environ["BLADES_BIN"], "face-manipulate") if "BLADES_BIN" in os.environ else "face-manipulate"
    done = subprocess.run([tool, "-q", "--nose", "--trace", trace, *options], input=stream(records),
                          stdout=subprocess.PIPE, check=True)
    faces = {r["id"]: r for r in msgpack.Unpacker(__import__("io").BytesIO(done.stdout)) if r["type"] == "face"}
    with open(trace) as f:
        return faces, [json.loads(line) for line in f]


# ---- The second implementation ----------------------------------------------------------------------------

def triangle(image, start, end, n, axis):
    """Pillow's antialiased bilinear filter from `start` to `end` of an axis, in float64."""
    image = np.moveaxis(image, axis, 0)
    step = (end - start) / n
    support = max(step, 1)
    centres = start + (np.arange(n) + .5) * step
    pixel = np.arange(int(np.floor(start)), min(int(np.ceil(end)), len(image)))
    weights = np.maximum(0, 1 - np.abs(pixel + .5 - centres[:, None]) / support)
    weights /= weights.sum(1, keepdims=True)
    return np.moveaxis(np.tensordot(weights, image[pixel], 1), 0, axis)


READ = {1: cv2.IMREAD_COLOR, 2: cv2.IMREAD_REDUCED_COLOR_2, 4: cv2.IMREAD_REDUCED_COLOR_4,
        8: cv2.IMREAD_REDUCED_COLOR_8}
TURN = [None, lambda i: i, np.fliplr, lambda i: np.rot90(i, 2), np.flipud, lambda i: i.swapaxes(0, 1),
        lambda i: np.rot90(i, -1), lambda i: np.rot90(i, 2).swapaxes(0, 1), np.rot90]


def stored(orientation, x, y, w, h):
    """A place of an upright image of w x h in the image as stored."""
    return [(x, y), (w - x, y), (w - x, h - y), (x, h - y), (y, x), (y, w - x), (h - y, w - x),
            (h - y, x)][orientation - 1]


def crop_of(choice):
    """Where, by the size of the whole photo."""
    x0, y0, x1, y1 = choice["box"]
    height, width = cv2.imread(choice["path"], cv2.IMREAD_COLOR).shape[:2]
    side = int(np.floor(1.3 * max(x1 - x0, y1 - y0)))
    left = int(np.floor((x0 + x1) / 2)) - side // 2
    top = int(np.floor((y0 + y1) / 2)) - side // 2
    return [max(left, 0), max(top, 0), min(left + side, width), min(top + side, height)]


def reduction_of(choice, where, n):
    least = min(where[2] - where[0], where[3] - where[1])
    if choice["resampling"] == "bilinear" or not choice["path"].endswith(".jpg"):
        return 1
    return max(d for d in READ if d == 1 or least // d >= 2 * n)


def resized(choice, where, n):
    if choice["resampling"] == "bilinear":
        image = cv2.imread(choice["path"], cv2.IMREAD_COLOR)[:, :, ::-1]
        return cv2.resize(image[where[1]:where[3], where[0]:where[2]], (n, n), interpolation=cv2.INTER_LINEAR)
    height, width = cv2.imread(choice["path"], cv2.IMREAD_COLOR).shape[:2]
    reduced = cv2.imread(choice["path"], READ[choice["denominator"]] | cv2.IMREAD_IGNORE_ORIENTATION)[:, :, ::-1]
    x0, y0 = stored(choice["orientation"], where[0], where[1], width, height)
    x1, y1 = stored(choice["orientation"], where[2], where[3], width, height)
    left, right = sorted(x / choice["denominator"] for x in (x0, x1))
    top, bottom = sorted(y / choice["denominator"] for y in (y0, y1))
    made = triangle(triangle(reduced.astype(float), top, bottom, n, 0), left, right, n, 1)
    return TURN[choice["orientation"]](np.floor(made + .5).astype(np.uint8))


def line_of(choice, manipulation):
    """The ends of a region's line, or None, and how often it is dilated."""
    points = np.array(choice["landmarks"]).reshape(-1, 2)
    if len(points) == 0 or len(points) == 7 and "mouth" in manipulation:
        return None, 0
    if len(points) == 68:
        eyes = [(points[36] + points[39]) * .5, (points[42] + points[45]) * .5]
        eye, nose, mouth = points[[42, 45]], points[33], points[[48, 54]]
    else:
        first = 0 if len(points) == 5 else 1
        eyes = sorted(points[first:first + 2], key=lambda p: p[0])
        half = .195 * (eyes[1] - eyes[0])
        eye = np.array([eyes[1] - half, eyes[1] + half])
        middle = (eyes[0] + eyes[1]) * .5
        nose = middle + 1.24 * (points[2 if len(points) == 5 else 0] - middle)
        mouth = points[3:5]
    if "nose" in manipulation:
        whole = [p.astype(int) for p in eyes]
        return ((whole[0] + whole[1]) / 2, nose), int(np.hypot(*(whole[0] - whole[1])) // 4)
    a, b = mouth if "mouth" in manipulation else eye
    length = np.hypot(*(a.astype(int) - b.astype(int)))
    return (a, b), int(length // 3) if "mouth" in manipulation else 2 * int(length // 4)


def region_of(choice):
    (a, b), dilations = line_of(choice, choice["manipulation"])
    n = choice["working_size"]
    mask = np.zeros((n, n), np.uint8)
    cv2.line(mask, tuple(int(v) for v in a), tuple(int(v) for v in b), 1, 2)
    if dilations:
        mask = cv2.dilate(mask, cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3)), iterations=dilations)
    x, y, w, h = cv2.boundingRect(mask)
    return [x, y, x + w, y + h]


def variants_of(choice, affine):
    """The manipulations that the face of this choice can have: of flips, those whose line lies in the crop."""
    names = {"photographic", "affine" if affine else "warp"}
    for name in ("mouth-vflip", "mouth-hflip", "eye-hflip", "nose-flip"):
        line, _ = line_of(choice, name)
        if line and all(((end >= 0) & (end < choice["working_size"])).all() for end in map(np.asarray, line)):
            names.add(name)
    return names


def scaled(radius, n):
    return int(np.floor(radius * n / 224 + .5))


def mask_of(region, nose, n):
    mask = np.zeros((n, n), np.float32)
    mask[region[1]:region[3], region[0]:region[2]] = 1
    k = n / 224
    count, sigma = (2 * scaled(7, n) + 1, 2 * k) if nose else (2 * scaled(45, n) + 1, 7 * k)
    kept = cv2.GaussianBlur(mask, (count, count), sigma) >= .5
    if not kept.any():
        kept = cv2.GaussianBlur(mask, (count, count), k) >= .5
    kept = kept.astype(np.float32)
    across = 2 * scaled(7, n) + 1
    eroded = cv2.erode(kept, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (across, across)))
    if not eroded.any():
        eroded = kept
    count = 2 * scaled(25, n) + 1
    soft = cv2.GaussianBlur(eroded, (count, count), 10 * k)
    return soft / soft.max()


def flipped(face, choice, mask, axis_only):
    n = choice["working_size"]
    grow = scaled(3 if choice["manipulation"] == "nose-flip" else 5, n)
    left, top, right, bottom = choice["region"]
    left, top, right, bottom = max(left - grow, 0), max(top - grow, 0), min(right + grow, n), min(bottom + grow, n)
    code = 1 if "hflip" in choice["manipulation"] else 0 if axis_only else -1
    changed = face.copy()
    changed[top:bottom, left:right] = cv2.flip(face[top:bottom, left:right], code)
    m = (choice["ratio"] * mask)[:, :, None]
    return m * changed + (1 - m) * face


def bilinear(face, u, v):
    last = len(face) - 1
    inside = (u >= 0) & (v >= 0) & (u <= last) & (v <= last)
    u, v = np.clip(u, 0, last), np.clip(v, 0, last)
    i, j = np.minimum(u.astype(int), last - 1), np.minimum(v.astype(int), last - 1)
    u, v = (u - i)[..., None], (v - j)[..., None]
    pixel = face.astype(float)
    out = ((1 - u) * (1 - v) * pixel[j, i] + u * (1 - v) * pixel[j, i + 1]
           + (1 - u) * v * pixel[j + 1, i] + u * v * pixel[j + 1, i + 1])
    return np.where(inside[..., None], out, 0)


def grid_warped(face, choice):
    """scikit-image's where its triangles are those of the manual; else the manual's, one by one."""
    if len(face) == 224:
        transform = PiecewiseAffineTransform()
        transform.estimate(np.array(choice["from"]), np.array(choice["to"]))
        return warp(face.astype(float), transform, order=1, mode="constant", cval=0, preserve_range=True)
    y, x = np.mgrid[0:len(face), 0:len(face)].astype(float)
    u, v = np.full(x.shape, -1.), np.full(x.shape, -1.)
    start, target = (np.array(choice[key]).reshape(-1, 2) for key in ("from", "to"))
    for corners in choice["triangles"]:
        to_unit = np.linalg.inv(np.vstack([start[corners].T, np.ones(3)]))
        part = np.einsum("ij,jyx->iyx", to_unit, np.stack([x, y, np.ones_like(x)]))
        inside = (part >= -1e-9).all(0)
        u[inside] = np.tensordot(target[corners, 0], part, 1)[inside]
        v[inside] = np.tensordot(target[corners, 1], part, 1)[inside]
    return bilinear(face, u, v)


def affine_warped(face, choice):
    y, x = np.mgrid[0:len(face), 0:len(face)].astype(float)
    a, b, c, d, e, f = choice["matrix"]
    return bilinear(face, a * x + b * y + c, d * x + e * y + f)


# ---- Comparison -------------------------------------------------------------------------------------------

def pixels(record):
    return np.frombuffer(record["pixels"], np.uint8).reshape(record["height"], record["width"], 3)


def smaller(face, how, n):
    if how == "bilinear":
        return cv2.resize(face, (n, n), interpolation=cv2.INTER_LINEAR)
    size = len(face)
    return triangle(triangle(face.astype(float), 0, size, n, 0), 0, size, n, 1)


def compare(records, folder, how, axis_only, affine, n, stored_size):
    options = ["--resampling", how, "--vflip", "axis" if axis_only else "rotate",
               "--warp", "affine" if affine else "piecewise", "--working-size", str(n)]
    faces, choices = run(records, folder, "--masks", "--size", str(n), *options)
    small = run(records, folder, "--size", str(stored_size), *options)[0]
    worst = {}
    count = {}

    def difference(what, a, b):
        d = float(np.abs(np.asarray(a, float) - np.asarray(b, float)).max())
        worst[what] = max(worst.get(what, 0), d)
        count[what] = count.get(what, 0) + 1

    originals = {c["face"]: pixels(faces[c["id"]]) for c in choices if c["manipulation"] == "photographic"}
    for c in choices:
        record, name = faces[c["id"]], c["manipulation"]
        face = originals[c["face"]]
        if name == "photographic":
            where = crop_of(c)
            difference("crop rectangle", c["crop"], where)
            difference("reduction", c["denominator"], reduction_of(c, where, n))
            name = "photographic" if c["denominator"] == 1 else "photographic, decoded reduced"
            difference(name, resized(c, where, n), face)
        elif name == "warp":
            difference("warp", grid_warped(face, c), pixels(record))
        elif name == "affine":
            difference("affine", affine_warped(face, c), pixels(record))
        else:
            difference("region", c["region"], region_of(c))
            mask = mask_of(c["region"], name == "nose-flip", n)
            difference("mask", 255 * mask, np.frombuffer(record["mask"], np.uint8).reshape(n, n))
            difference(name, flipped(face, c, mask, axis_only), pixels(record))
    for name, record in faces.items():
        if name in small:
            difference("smaller", smaller(pixels(record), how, stored_size), pixels(small[name]))
    label = f"{how}, {'mirrored' if axis_only else 'rotated'}, {n}, {stored_size}"
    check(set(faces) == set(small), f"the same variants at both sizes ({label})")
    wanted = {f"{c['face']}/{name}" for c in choices if c["manipulation"] == "photographic" for name in variants_of(c, affine)}
    check(sum(len(r["faces"]) for r in records) == len(originals), f"every face has its photographic variant ({label})")
    check(set(faces) == wanted, f"no variant left out but where its line is not in the crop: {len(wanted)} ({label}) "
          f"{sorted(set(faces) ^ wanted)[:3]}")
    for what, d in worst.items():
        limit = 0 if what in ("crop rectangle", "reduction", "region") else 1
        check(d <= limit, f"{what} ({label}): {count[what]} compared, largest difference {d:.3f}")
    check(set(worst) >= {"photographic", "mouth-vflip", "mouth-hflip", "eye-hflip", "nose-flip", "mask",
                         "affine" if affine else "warp"}, f"all manipulations were compared ({label})")


# ---- Formats ----------------------------------------------------------------------------------------------

def ycck(path):
    """Makes an Adobe CMYK JPEG one whose first three components are YCbCr; other colours, but of one meaning."""
    data = bytearray(open(path, "rb").read())
    at = data.index(b"\xff\xee\0\x0eAdobe") + 15
    assert data[at] == 0
    data[at] = 2
    open(path, "wb").write(data)


def files_of_formats(rng):
    photo = Image.fromarray(drawn_photo(rng, 224, 224))
    cmyk = Image.merge("CMYK", [Image.fromarray(drawn_photo(rng, 224, 224)[..., 0]) for _ in range(4)])
    mask = Image.fromarray(drawn_photo(rng, 224, 224)[..., 1])
    clear = photo.copy()
    clear.putalpha(mask)
    few = {bits: photo.quantize(2 ** bits) for bits in (1, 2, 4, 8)}
    for bits, image in few.items():
        yield f"PNG, palette of {bits} bits", image, "png", {"bits": bits}
    yield "PNG, palette with transparency", few[8], "png", {"transparency": bytes(range(256))}
    yield "PNG, palette with alpha", clear.quantize(200), "png", {}
    yield "PNG, bilevel", photo.convert("1"), "png", {}
    yield "JPEG, CMYK by Adobe", cmyk, "jpg", {"quality": 90, "subsampling": 0}
    yield "JPEG, YCCK", cmyk, "jpg", {"quality": 90, "subsampling": 0}
    yield "JPEG, progressive CMYK by Adobe", cmyk, "jpg", {"quality": 90, "progressive": True}
    yield "WebP", photo, "webp", {"quality": 90}
    yield "WebP, lossless with alpha", clear, "webp", {"lossless": True}
    yield "WebP, lossy with alpha", clear, "webp", {"quality": 80}
    yield "WebP, animated", photo, "webp", {"save_all": True, "append_images": [photo.rotate(90)]}


def compare_formats(folder, rng):
    """A face that is the whole photo comes out as it was decoded: as Pillow decodes it, within a grey level."""
    names, records = [], []
    for i, (name, image, suffix, options) in enumerate(files_of_formats(rng)):
        path = f"{folder}/format{i}.{suffix}"
        image.save(path, **options)
        if "YCCK" in name:
            ycck(path)
        names.append(name)
        records.append({"type": "photo", "id": path, "path": path, "faces": [{"box": [0, 0, 224, 224]}]})
    tool = os.path.join(os.environ["BLADES_BIN"], "face-manipulate") if "BLADES_BIN" in os.environ else "face-manipulate"
    done = subprocess.run([tool, "-q", "--scale", "1"], input=stream(records), stdout=subprocess.PIPE)
    made = list(msgpack.Unpacker(__import__("io").BytesIO(done.stdout)))
    check(done.returncode == 65, "the animation is an error")
    for name, record in zip(names, records):
        face = [r for r in made if r.get("photo") == record["id"] and r["manipulation"] == "photographic"]
        errors = [r["reason"] for r in made if r["type"] == "error" and r["id"] == record["id"]]
        if "animated" in name:
            check(not face and len(errors) == 1 and "an animation" in errors[0], f"{name}: {errors}")
            continue
        d = 256 if len(face) != 1 else np.abs(
            pixels(face[0]).astype(int) - np.asarray(Image.open(record["path"]).convert("RGB"))).max()
        check(d <= 1, f"{name}: largest difference from Pillow {d} {errors}")


# Resampling, whether vertical flips mirror, whether warps are affine, the working size, that of the faces stored smaller.
CASES = [("antialias", False, False, 224, 64), ("bilinear", True, True, 224, 100), ("antialias", True, False, 96, 95),
         ("antialias", False, True, 300, 224), ("antialias", False, False, 64, 17)]


def main():
    rng = np.random.default_rng(7)
    with tempfile.TemporaryDirectory() as folder:
        records = list(drawn_photos(folder, rng))
        real = list(real_photos())
        if not real:
            print(f"# no photographs under {DATA}: drawn ones only")
        borders = list(photos_at_borders(folder, rng))
        compare_formats(folder, rng)
        for case in [CASES[int(i)] for i in sys.argv[1:]] or CASES:
            compare(records + borders + real, folder, *case)
    print(f"1..{tests}")
    return failures > 0


sys.exit(main())
