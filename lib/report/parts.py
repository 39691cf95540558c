"""What the page shows only when asked for: small scripts beside it.

A page that is opened from disk may load a script from its folder, but read no other file. Each script hands one part
over to the page's `receivePart`: HTML, escaped where it was made, and plain values.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lib.core.files import whole_file
from lib.report.media import address


def write_part(page_folder: Path, name: str, part: Mapping[str, Any]) -> str:
    """Write a part as parts/<name>.js; one that says the same already is left as it is.

    Returns:
        The percent-encoded address for the page, which is also the name under which the part is handed over.
    """
    path = page_folder / "parts" / f"{name}.js"
    target = address(path, page_folder)
    values = json.dumps(part, separators=(",", ":"), ensure_ascii=False)
    script = f"receivePart({json.dumps(target)},{values});\n".encode("utf-8", errors="replace")
    if not path.is_file() or path.read_bytes() != script:
        with whole_file(path) as temporary:
            temporary.write_bytes(script)
    return target
