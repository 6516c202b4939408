"""``python -m curvox``: the command, for torchrun and wherever the script is not on the path."""

from curvox.cli import main

if __name__ == "__main__":
    main()
