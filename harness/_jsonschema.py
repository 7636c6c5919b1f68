"""jsonschema, without a grammar that takes longer to build than all else a worker imports.

It is for internationalised addresses, a format that nothing here asks about, and comes with
jupyterlab. Whoever imports jsonschema, as chromadb does, imports this before.

Of the 6.9 s of processor time that a worker's imports took, 4.4 s went.
"""

import sys
from types import ModuleType
from typing import cast

_GRAMMAR = "rfc3987_syntax"

if "jsonschema" not in sys.modules and _GRAMMAR not in sys.modules:
    modules = cast(dict[str, ModuleType | None], sys.modules)
    modules[_GRAMMAR] = None  # as if it were not installed, which jsonschema is prepared for
    try:
        import jsonschema  # noqa: F401
    finally:
        del modules[_GRAMMAR]
