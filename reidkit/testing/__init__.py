"""For tests, ours and other people's: fake batches and the contract of every kind of component."""

from reidkit.testing.contracts import ContractError, check_component
from reidkit.testing.documentation import documentation_problems
from reidkit.testing.fakes import fake_batch, fake_embedding, fake_features

__all__ = [
    "ContractError",
    "check_component",
    "documentation_problems",
    "fake_batch",
    "fake_embedding",
    "fake_features",
]
