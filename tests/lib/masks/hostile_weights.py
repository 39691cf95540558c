"""What a checkpoint may hold to run code when it is opened."""

import os
from pathlib import Path
from typing import Any


class RunsCode:
    """An object whose unpickling would create a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return (os.mkdir, (str(self.path),))
