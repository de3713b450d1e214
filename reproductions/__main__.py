"""``python -m reproductions``: write the tables of every page anew from its expected.json."""

from ._page import ROOT, write

if __name__ == "__main__":
    for path in sorted(ROOT.glob("*/expected.json")):
        write(path.parent.name)
