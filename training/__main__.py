"""The whole recipe, start to end: `python -m training [--minutes 75]`.

Each step runs in a process of its own, so its command line stays the one way to run it.
"""

import subprocess
import sys


def main() -> None:
    """Train the tokenizer and the model, export them, measure the export, write its card."""
    steps = (
        ("training.train", "--resume", *sys.argv[1:]),
        ("training.export",),
        ("training.evaluate",),
        ("training.card",),
    )
    for step in steps:
        print(f"== {' '.join(step)}", flush=True)
        subprocess.run([sys.executable, "-m", *step], check=True)  # noqa: S603


if __name__ == "__main__":
    main()
