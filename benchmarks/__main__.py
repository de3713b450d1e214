"""``python -m benchmarks [name ...]``: run all benchmarks, or those named."""

import sys
from importlib import import_module

from benchmarks._pair import save

NAMES = (
    "bias",
    "collisions",
    "injective_linear",
    "injectivity",
    "preimage",
    "reconstruction",
    "scenario",
    "spectrum",
    "witness",
)


def main() -> None:
    """Run and save the benchmarks."""
    unknown = set(sys.argv[1:]) - set(NAMES)
    if unknown:
        sys.exit(f"unknown benchmark {', '.join(sorted(unknown))}; there are: {', '.join(NAMES)}")
    for name in sys.argv[1:] or NAMES:
        print(f"results: {save(import_module(f'benchmarks.{name}').run())}")


if __name__ == "__main__":
    main()
