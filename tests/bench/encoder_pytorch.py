#!/usr/bin/python3
"""PyTorch's ResNet-50: encoder_pytorch.py train|infer BATCH ROUNDS, or: export FILE.onnx.
Prints images a second (median) and the peak memory in GB, as encoder_bench does."""
import resource
import sys
import time

import torch
import torchvision

torch.set_num_threads(2)
torch.manual_seed(0)
model = torchvision.models.resnet50(num_classes=768)
mode = sys.argv[1]
if mode == "export":
    model.eval()
    torch.onnx.export(model, torch.randn(16, 3, 224, 224), sys.argv[2], input_names=["x"], output_names=["y"],
                      opset_version=13)
    sys.exit(0)
batch, rounds = int(sys.argv[2]), int(sys.argv[3])
model = model.to(memory_format=torch.channels_last)
x = torch.randn(batch, 3, 224, 224).contiguous(memory_format=torch.channels_last)
target = torch.randn(batch, 768) / batch
seconds = []
model.train(mode == "train")
for i in range(rounds + 1):
    start = time.time()
    if mode == "train":
        model.zero_grad(set_to_none=True)
        (model(x) * target).sum().backward()
    else:
        with torch.no_grad():
            model(x)
    seconds.append(time.time() - start)
seconds = sorted(seconds[1:])
print("%.2f %.2f" % (batch / seconds[len(seconds) // 2], resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024e-9))
