"""``python -m unrelu`` is the command line."""

from unrelu.cli import main

if __name__ == "__main__":
    main()
