"""Estimates by several ranks of ``torch.distributed.run``; rank 0 writes which differ from those of one."""

import json
import sys

import numpy as np
import torch
import torch.distributed as dist

from unrelu import ReLULayer, Sphere, estimate_bias

CASES = {
    "fixed": {"n_samples": 9000},
    "few": {"n_samples": 3, "chunk_bytes": 1},
    "patience": {"patience": 300},
    "patience and limit": {"n_samples": 700, "patience": 600, "chunk_bytes": 2000},
    "rank test": {"n_samples": 500, "assume_general_position": False},
    "rank test, patience": {"patience": 60, "assume_general_position": False},
}
FIELDS = ("n_samples", "n_support", "n_changes", "epsilon", "epsilon_prior", "converged", "test")


def answers() -> dict:
    """Return all figures of all estimates."""
    rng = np.random.default_rng(0)
    layer = ReLULayer(rng.standard_normal((12, 5))).to(dtype=torch.float32)
    data = rng.integers(-3, 4, (500, 5)).astype(float)
    runs = {name: estimate_bias(layer, Sphere(), **options) for name, options in CASES.items()}
    runs["data"] = estimate_bias(layer, data)
    return {
        name: [run.alpha.tolist(), run.support.tolist(), *(getattr(run, field) for field in FIELDS)]
        for name, run in runs.items()
    }


if __name__ == "__main__":
    dist.init_process_group("gloo")
    together = answers()
    everyone = [None] * dist.get_world_size()
    dist.all_gather_object(everyone, together)
    rank = dist.get_rank()
    dist.destroy_process_group()
    alone = answers()
    if rank == 0:
        wrong = [name for name in alone if any(answer[name] != alone[name] for answer in everyone)]
        sys.stdout.write(json.dumps({"ranks": len(everyone), "cases": len(alone), "wrong": wrong}))
