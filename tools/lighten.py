# Copyright 2026 The audiosynth authors. Licensed under the Apache License, Version 2.0.
"""Store the pictures in notebooks with 256 colours: half as large, and no different to the eye.

python tools/lighten.py [NOTEBOOK …]  (default: all)
"""

import base64
import io
import json
import sys
from pathlib import Path

from PIL import Image  # comes with matplotlib

NOTEBOOKS = Path(__file__).parents[1] / "nbs"


def lighter(png):  # Base64
    "The same picture with 256 colours, or the one that was given if that is smaller."
    image, out = Image.open(io.BytesIO(base64.b64decode(png))), io.BytesIO()
    if image.mode == "P":
        return png
    image.convert("RGB").quantize(256).save(out, "PNG", optimize=True)
    return min(png, base64.b64encode(out.getvalue()).decode() + "\n", key=len)


def main(paths):
    "Each notebook is written only if something in it became smaller."
    for path in paths or sorted(NOTEBOOKS.rglob("*.ipynb")):
        before = Path(path).read_text(encoding="utf-8")
        notebook = json.loads(before)
        for output in (o for cell in notebook["cells"] for o in cell.get("outputs", [])):
            png = output.get("data", {}).get("image/png")
            if png:
                output["data"]["image/png"] = lighter("".join(png))
        after = json.dumps(notebook, ensure_ascii=False, indent=1) + "\n"
        if len(after) < len(before):
            Path(path).write_text(after, encoding="utf-8")
            print(f"{path}: {len(before) / 1e3:.0f} → {len(after) / 1e3:.0f} kB")


if __name__ == "__main__":
    main(sys.argv[1:])
