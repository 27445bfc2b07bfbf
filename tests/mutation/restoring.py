"""The guards of a restore: nothing is made by a partial reading, by another server's capture, or out of what
an old domain has; and nothing is called in place that no stage came to."""

from __future__ import annotations

from tests.mutation.guard import guard

RESTORE = "tests/test_restore.py"
SCREEN = "tests/screens/test_restore_screen.py"
PAGES = "tests/test_restore_pages.py"

RESTORES = (
    guard(
        "nothing is planned on screen from a reading that is not complete",
        "console/restoring.py",
        "            if not coverage.is_complete:\n",
        "            if False:\n",
        f"{SCREEN}::test_nothing_is_planned_from_readings_that_are_not_complete",
    ),
    guard(
        "what a restore needs signed is told before its word is asked for",
        "console/cli/restoring.py",
        "    refuse_unsigned(plan, session.environment.approvals, now=session.clock())\n",
        "",
        "tests/test_cli_restore.py",
        select="approvals",
    ),
    guard(
        "a moment means a complete capture",
        "console/losses.py",
        "if one.is_complete and one.taken_at <= at]",
        "if one.taken_at <= at]",
        "tests/test_restores.py::test_a_moment_means_the_newest_complete_capture_as_losses_have_it",
    ),
    guard(
        "a capture of another server or parent is refused",
        "console/restores.py",
        "if len(ids) > 1 or then.scope.parent.casefold() != now.scope.parent.casefold():",
        "if False:",
        "tests/test_restores.py::test_a_capture_of_another_server_or_parent_is_refused",
    ),
    guard(
        "what an old domain still has is not there for the new one",
        "sync/restore_scene.py",
        "return domain is not None and self._ids[type_name].get(one.id) == domain.id",
        "return one.id in self._ids[type_name]",
        f"{RESTORE}::test_what_is_left_in_a_dying_domain_is_not_used_by_the_new_one",
    ),
    guard(
        "a network or template of the old domain is not used",
        "sync/restore.py",
        "return domain_id == vm.domain_id and domain_id != home.domain.id",
        "return False",
        f"{RESTORE}::test_what_is_left_in_a_dying_domain_is_not_used_by_the_new_one",
    ),
    guard(
        "what no stage came to is not in place",
        "console/restores.py",
        "return not (self.failed or self.unreached or self.frozen)",
        "return not (self.failed or self.frozen)",
        f"{PAGES}::test_what_no_stage_came_to_is_not_called_in_place",
    ),
    guard(
        "nothing is restored where the zone could not be closed",
        "console/restores.py",
        "if zone is not None and not all(is_in_place(one) for one in run([freeze(zone)]).results):",
        "if zone is not None and not run([freeze(zone)]):",
        "tests/test_restores.py::test_nothing_is_made_where_the_zone_could_not_be_closed",
    ),
    guard(
        "a zone is opened only when nothing is left to be sent",
        "console/restores.py",
        "        if run(stage).state is not RunState.FINISHED:\n            return\n",
        "        run(stage)\n",
        "tests/test_restores.py::test_a_zone_stays_closed_while_something_is_left",
    ),
    guard(
        "a restore waits until an interrupted run was seen to",
        "console/screens/restore.py",
        "is_free = not is_going_on and (found is None or found.is_over)",
        "is_free = True",
        f"{SCREEN}::test_an_interrupted_restore_is_finished_on_its_screen_and_the_zone_opened",
    ),
)
