"""Sets a model for the whole process."""

import dspy

from acme_broken.modules import Answering

dspy.configure(lm=dspy.LM("openai/gpt-4o-mini", api_key="none"))

__all__ = ["Answering"]
