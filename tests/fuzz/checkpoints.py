#!/usr/bin/python3
"""Small checkpoints of every format as seeds for the fuzzer: checkpoints.py FOLDER."""
import sys

import torch

folder = sys.argv[1]
a = torch.arange(12.0).view(3, 4)
state = {"model": {"conv1.weight": a, "view": a[1:, ::2], "half": a.half(), "bf": a.bfloat16(), "n": torch.tensor(3),
                   "p": torch.nn.Parameter(a.t())}, "epoch": 1, "name": "x", "list": [1.5, None, True]}
torch.save(state, f"{folder}/zip")
torch.save(state, f"{folder}/protocol4", pickle_protocol=4)
torch.save(state, f"{folder}/legacy", _use_new_zipfile_serialization=False)
