"""One-attempt engines behind DSPy's language-model seam: scripted, local, and the providers'.

An engine turns one canonical request into one response or one error; retries, records and replay
are the runtime's.
"""

import os

# Read by DSPy when it prices a call: never fetch price tables from the network.
os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "true")
