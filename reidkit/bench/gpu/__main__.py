"""One stage in a process of its own: `python -m reidkit.bench.gpu NAME FILE [tiny]`."""

import json
import sys
from dataclasses import asdict
from pathlib import Path

from reidkit.bench.gpu.campaign import stage_function
from reidkit.utils.io import atomic_write

if __name__ == "__main__":
    name, file, *size = sys.argv[1:]
    rows = stage_function(name)(size == ["tiny"])
    with atomic_write(Path(file), "w") as stream:
        json.dump([asdict(row) for row in rows], stream)
