"""``python -m stackd.testing.guestimage OUTDIR``: build the demo guest image; prints where its files are."""

import json
import sys
from pathlib import Path

from attrs import asdict

from stackd.errors import BadConfiguration
from stackd.testing.guestimage.build import build


def main() -> int:
    """The exit code; what was made is printed as JSON, the steps go to the standard error output."""
    if len(sys.argv) != 2:
        print("usage: python -m stackd.testing.guestimage OUTDIR", file=sys.stderr)
        return 2
    try:
        image = build(Path(sys.argv[1]).resolve(), lambda line: print(line, file=sys.stderr, flush=True))
    except BadConfiguration as failure:
        print(f"guest image: {failure}", file=sys.stderr)
        return 1
    print(json.dumps(asdict(image), indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
