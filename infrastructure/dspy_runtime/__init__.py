"""The only place, beside the engines, that knows DSPy: programs are built, run and optimized here.

Importing the modules of this package imports DSPy (0.8 s, 62 MB); the API never does.
"""

import os

# Read by DSPy when it prices a call: never fetch price tables from the network.
os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "true")
