"""What the steps of the checklist do: one module per section, one coroutine per action name."""

from collections.abc import Awaitable, Callable, Mapping, Sequence

from d1_preflight.actions import (
    apply,
    classification,
    close,
    data_safety,
    go,
    local_test,
    pending,
    rollback,
    safety,
    timing,
    verification,
)
from d1_preflight.actions.context import Work
from d1_preflight.core.checklist.checklist import Prompt
from d1_preflight.core.record.record import Outcome

Action = Callable[[Work], Awaitable[Outcome]]

ACTIONS: Mapping[str, Action] = {
    "check_name": classification.check_name,
    "check_header": classification.check_header,
    "answer_findings": classification.answer_findings,
    "confirm_class": classification.confirm_class,
    "state_purpose": classification.state_purpose,
    "copy_target": local_test.copy_target,
    "check_syntax": local_test.check_syntax,
    "rehearse": local_test.rehearse,
    "count_rows": safety.count_rows,
    "back_up": data_safety.back_up,
    "prove_backup": data_safety.prove_backup,
    "take_bookmark": safety.take_bookmark,
    "write_down": rollback.write_down,
    "test_down": rollback.test_down,
    "check_rollback_header": rollback.check_rollback_header,
    "choose_way_back": rollback.choose_way_back,
    "choose_deploy_order": rollback.choose_deploy_order,
    "check_window": timing.check_window,
    "notify_team": timing.notify_team,
    "open_dashboard": timing.open_dashboard,
    "sign_go": go.sign_go,
    "apply_migration": apply.apply_migration,
    "verify_ledger": verification.verify_ledger,
    "verify_schema": verification.verify_schema,
    "verify_rows": verification.verify_rows,
    "probe_endpoints": verification.probe_endpoints,
    "watch_errors": verification.watch_errors,
    "sign_close": close.sign_close,
}

PROMPTS: Mapping[str, Callable[[Work], Sequence[Prompt]]] = {
    "answer_findings": classification.finding_prompts,
    "confirm_class": classification.class_prompts,
    "write_down": rollback.down_prompts,
    "choose_way_back": rollback.way_back_prompts,
    "choose_deploy_order": pending.order_prompts,
    "notify_team": timing.notify_prompts,
    "sign_go": go.go_prompts,
    "apply_migration": apply.apply_prompts,
    "verify_rows": verification.row_prompts,
    "sign_close": close.close_prompts,
}
"""Questions that follow from the facts, asked before those that the checklist has."""

PLANS: Mapping[str, Callable[[Work], Sequence[str]]] = {
    "copy_target": local_test.copy_plan,
    "rehearse": local_test.rehearse_plan,
    "back_up": data_safety.back_up_plan,
    "take_bookmark": safety.bookmark_plan,
    "choose_deploy_order": rollback.deploy_plan,
    "open_dashboard": timing.dashboard_plan,
    "apply_migration": apply.apply_plan,
    "verify_ledger": verification.verify_plan,
}
"""The commands that an action will run, as they are shown before it runs them."""

SEALS = frozenset({"sign_close"})
"""The actions after which the record is signed and final."""
