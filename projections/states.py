"""What a signature, module, tool, program, dataset or probe was after each of its events."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from domain.access.events import ApiKeyIssued, ApiKeyRevoked
from domain.dataset.events import (
    DatasetCreated,
    DatasetRowRemoved,
    DatasetRowReplaced,
    DatasetRowsLoaded,
)
from domain.dataset.values import Split
from domain.kernel import Event, Recorded
from domain.module.events import ModuleConfigured, ModuleCreated, ModuleRetired
from domain.probe.events import ProbeAccepted, ProbeRefused, ProbeRequested
from domain.probe.values import ProbeStatus
from domain.program.events import (
    ProgramArchived,
    ProgramCompiled,
    ProgramConfigured,
    ProgramCreated,
    ProgramDeployed,
    ProgramDescribed,
    ProgramRenamed,
    ProgramRestored,
    ProgramRetired,
    ProgramRevised,
    ProgramTestingStarted,
    ProgramVersionEdited,
    ProgramVersionImported,
    ProgramVersionRestored,
)
from domain.program.graph import ProgramGraph
from domain.program.values import Origin, Stage
from domain.signature.events import SignatureDefined, SignatureRetired, SignatureRevised
from domain.tool.events import ToolCreated, ToolRetired
from projections.datasets import DatasetRow
from projections.keys import KeyRow
from projections.modules import ModuleRow
from projections.probes import ProbeRow
from projections.program_catalog import ProgramMetrics, ProgramRow, live_score
from projections.signatures import SignatureRow
from projections.tools import ToolRow

Values = Mapping[str, Any]


def signature(before: SignatureRow | None, recorded: Recorded) -> SignatureRow:
    """The signature after *recorded*; ``None`` is before its first event."""
    changes: Values = {}
    match recorded.event:
        case SignatureDefined(name=name, spec=spec, content_hash=digest):
            before = SignatureRow(
                signature_id=recorded.originator_id,
                name=name,
                revision=1,
                spec=spec,
                content_hash=digest,
                **_begun(recorded),
                **_ended(None, None),
            )
        case SignatureRevised(revision=revision, spec=spec, content_hash=digest):
            changes = {"revision": revision, "spec": spec, "content_hash": digest}
        case SignatureRetired(reason=reason):
            changes = _ended(recorded, reason)
        case _:
            pass
    assert before is not None
    return before.model_copy(update={**changes, **_touched(recorded)})


def module(before: ModuleRow | None, recorded: Recorded) -> ModuleRow:
    """The module after *recorded*; ``None`` is before its first event."""
    changes: Values = {}
    match recorded.event:
        case ModuleCreated(spec=spec) as created:
            before = ModuleRow(
                module_id=recorded.originator_id,
                name=created.name,
                kind=spec.kind,
                signature_id=created.signature_id,
                signature_revision=created.signature_revision,
                signature=spec.signature,
                config=spec.config,
                parameters=spec.parameters,
                **_begun(recorded),
                **_ended(None, None),
            )
        case ModuleConfigured(config=config):
            changes = {"config": config}
        case ModuleRetired(reason=reason):
            changes = _ended(recorded, reason)
        case _:
            pass
    assert before is not None
    return before.model_copy(update={**changes, **_touched(recorded)})


def tool(before: ToolRow | None, recorded: Recorded) -> ToolRow:
    """The tool after *recorded*; ``None`` is before its first event."""
    changes: Values = {}
    match recorded.event:
        case ToolCreated(spec=spec):
            before = ToolRow(
                tool_id=recorded.originator_id,
                name=spec.name,
                spec=spec,
                **_begun(recorded),
                **_ended(None, None),
            )
        case ToolRetired(reason=reason):
            changes = _ended(recorded, reason)
        case _:
            pass
    assert before is not None
    return before.model_copy(update={**changes, **_touched(recorded)})


def api_key(before: KeyRow | None, recorded: Recorded) -> KeyRow:
    """The key after *recorded*; ``None`` is before its first event."""
    changes: Values = {}
    match recorded.event:
        case ApiKeyIssued() as issued:
            before = KeyRow(
                api_key_id=recorded.originator_id,
                name=issued.name,
                roles=issued.roles,
                expires_at=issued.expires_at,
                revoked_at=None,
                revoked_because=None,
                **_begun(recorded),
            )
        case ApiKeyRevoked(reason=reason):
            changes = {"revoked_at": recorded.timestamp, "revoked_because": reason}
        case _:
            pass
    assert before is not None
    return before.model_copy(update={**changes, **_touched(recorded)})


class FollowedProgram(ProgramRow):
    """A program with the graph of each of its versions, which later ones may take up again."""

    graphs: tuple[ProgramGraph, ...] = Field(exclude=True)


def program(before: FollowedProgram | None, recorded: Recorded) -> FollowedProgram:
    """The program after *recorded*; ``None`` is before its first event."""
    if isinstance(recorded.event, ProgramCreated):
        return _new_program(recorded, recorded.event)
    assert before is not None
    changes = {**_new_version(before, recorded.event), **_happened(before, recorded)}
    return before.model_copy(update={**changes, **_touched(recorded)})


def _new_version(before: FollowedProgram, event: Event) -> Values:
    match event:
        case ProgramRevised(new_version=new, graph=graph):
            pass
        case ProgramVersionRestored(new_version=new, restored_version=base):
            graph = before.graphs[base - 1]
        case (
            ProgramCompiled(new_version=new, base_version=base)
            | ProgramVersionEdited(new_version=new, base_version=base)
            | ProgramVersionImported(new_version=new, base_version=base)
        ):
            graph = before.graphs[base - 1]
        case _:
            return {}
    return {"latest_version": new, "graph": graph, "graphs": (*before.graphs, graph)}


def _happened(before: FollowedProgram, recorded: Recorded) -> Values:
    changes: Values = {}
    match recorded.event:
        case ProgramRenamed(name=name):
            changes = {"name": name}
        case ProgramDescribed(description=description):
            changes = {"description": description}
        case ProgramConfigured(config=config, default_optimizer=optimizer):
            changes = {"config": config, "default_optimizer": optimizer}
        case ProgramTestingStarted():
            changes = {"stage": Stage.TESTING}
        case (
            ProgramCompiled(training_score=score)
            | ProgramVersionImported(origin=Origin.COMPILED, training_score=score)
        ):
            changes = {"metrics": _metrics(before, training_score=score)}
        case ProgramDeployed(program_version=deployed) as event:
            changes = {
                "stage": Stage.PRODUCTION,
                "deployed_version": deployed,
                "metrics": _metrics(before, deployed_score=live_score(event)),
            }
        case ProgramArchived(reason=reason):
            changes = {"archived_at": recorded.timestamp, "archived_because": reason}
        case ProgramRestored():
            changes = {"archived_at": None, "archived_because": None}
        case ProgramRetired(reason=reason):
            changes = {
                "archived_at": None,
                "archived_because": None,
                "stage": Stage.RETIRED,
                "deployed_version": None,
                "metrics": _metrics(before, deployed_score=None),
                **_ended(recorded, reason),
            }
        case _:
            pass
    return changes


def dataset(before: DatasetRow | None, recorded: Recorded) -> DatasetRow:
    """The dataset after *recorded*; ``None`` is before its first event."""
    match recorded.event:
        case DatasetRowsLoaded() as loaded:
            assert before is not None
            changes = _grown(before, loaded)
        case DatasetRowReplaced():
            assert before is not None
            changes = {"replaced": before.replaced + 1}
        case DatasetRowRemoved(split=split):
            assert before is not None
            changes = {"removed": before.removed + 1, **_shrunk(before, split)}
        case _:
            assert isinstance(recorded.event, DatasetCreated)
            before, changes = _new_dataset(recorded, recorded.event), {}
    return before.model_copy(update={**changes, **_touched(recorded)})


def probe(before: ProbeRow | None, recorded: Recorded) -> ProbeRow:
    """The probe after *recorded*; ``None`` is before its first event."""
    changes: Values = {"finished_at": recorded.timestamp}
    match recorded.event:
        case ProbeRequested(promise=promise):
            return ProbeRow(
                probe_id=recorded.originator_id,
                version=recorded.originator_version,
                position=recorded.position or 0,
                status=ProbeStatus.PENDING,
                import_path=promise.import_path,
                promise=promise,
                findings=None,
                failure=None,
                actor=recorded.envelope.actor,
                requested_at=recorded.timestamp,
                finished_at=None,
            )
        case ProbeAccepted(findings=findings):
            changes = {**changes, "status": ProbeStatus.ACCEPTED, "findings": findings}
        case ProbeRefused(failure=failure):
            changes = {**changes, "status": ProbeStatus.REFUSED, "failure": failure}
        case _:
            pass
    assert before is not None
    return before.model_copy(update={**changes, "version": recorded.originator_version})


def _new_program(recorded: Recorded, created: ProgramCreated) -> FollowedProgram:
    return FollowedProgram(
        program_id=recorded.originator_id,
        name=created.name,
        description=created.description,
        config=created.config,
        graph=created.graph,
        graphs=(created.graph,),
        default_optimizer=created.default_optimizer,
        stage=Stage.DRAFT,
        latest_version=1,
        deployed_version=None,
        metrics=ProgramMetrics(training_score=None, deployed_score=None),
        archived_at=None,
        archived_because=None,
        **_begun(recorded),
        **_ended(None, None),
    )


def _new_dataset(recorded: Recorded, created: DatasetCreated) -> DatasetRow:
    return DatasetRow(
        dataset_id=recorded.originator_id,
        name=created.name,
        purpose=created.purpose,
        description=created.description,
        train_rows=0,
        heldout_rows=0,
        size=0,
        fields=(),
        loads=0,
        replaced=0,
        removed=0,
        **_begun(recorded),
    )


def _grown(before: DatasetRow, loaded: DatasetRowsLoaded) -> Values:
    part = "train_rows" if loaded.split is Split.TRAIN else "heldout_rows"
    return {
        part: getattr(before, part) + loaded.count,
        "size": before.size + loaded.count,
        "fields": tuple(dict.fromkeys((*before.fields, *loaded.fields))),
        "loads": before.loads + 1,
    }


def _shrunk(before: DatasetRow, split: Split) -> Values:
    part = "train_rows" if split is Split.TRAIN else "heldout_rows"
    return {part: getattr(before, part) - 1, "size": before.size - 1}


def _metrics(before: ProgramRow, **changes: float | None) -> ProgramMetrics:
    return before.metrics.model_copy(update=changes)


def _begun(recorded: Recorded) -> Values:
    at = recorded.timestamp
    return {
        "version": recorded.originator_version,
        "position": recorded.position,
        "created_at": at,
        "created_by": recorded.envelope.actor,
        "updated_at": at,
    }


def _touched(recorded: Recorded) -> Values:
    return {"version": recorded.originator_version, "updated_at": recorded.timestamp}


def _ended(recorded: Recorded | None, reason: str | None) -> Values:
    return {"retired_at": recorded and recorded.timestamp, "retired_because": reason}
