"""Every read model there is; the projector keeps each of them."""

from typing import Final

from projections.audit_trail import AuditTrail
from projections.batches import Batches
from projections.bindings import Bindings
from projections.datasets import Datasets
from projections.evaluations import Evaluations
from projections.executions import Executions
from projections.kernel import Projection
from projections.keys import Keys
from projections.lm_calls import LmCalls
from projections.lm_usage import LmUsage
from projections.modules import Modules
from projections.optimization_board import OptimizationBoard
from projections.probes import Probes
from projections.program_catalog import ProgramCatalog
from projections.program_versions import ProgramVersions
from projections.providers import Providers
from projections.records import Records
from projections.routes import Routes
from projections.signatures import Signatures
from projections.tools import Tools
from projections.webhooks import Webhooks
from projections.workflow_runs import WorkflowRuns
from projections.workflows import Workflows

PROJECTIONS: Final[tuple[Projection, ...]] = (
    Signatures(),
    Modules(),
    ProgramCatalog(),
    ProgramVersions(),
    Executions(),
    Batches(),
    LmCalls(),
    OptimizationBoard(),
    Evaluations(),
    Probes(),
    Tools(),
    Workflows(),
    WorkflowRuns(),
    Webhooks(),
    Keys(),
    Providers(),
    Routes(),
    Records(),
    Bindings(),
    Datasets(),
    AuditTrail(),
    LmUsage(),
)
