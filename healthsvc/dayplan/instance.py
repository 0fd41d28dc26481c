"""Published instances: read one, solve it, prove the answer, write the solution in the format of the published ones."""

import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from healthsvc.dayplan.checker import Verdict, check
from healthsvc.dayplan.formats import mankowska, reading, uhhc, uhhc_solution
from healthsvc.dayplan.formats.reading import Json
from healthsvc.dayplan.impossible import refuse_impossible
from healthsvc.dayplan.plan import Plan
from healthsvc.dayplan.problem import Problem
from healthsvc.dayplan.watching import ended_by_signal, enough
from healthsvc.errors import Invalid, Malformed

FORMATS: tuple[tuple[str, Callable[[Json], bool], Callable[[Json, str], Problem]], ...] = (
    ("mankowska", mankowska.is_mine, mankowska.read),
    ("uhhc", uhhc.is_mine, uhhc.read),
)


@dataclass(frozen=True, slots=True)
class Summary:
    """What came of solving an instance. ``parts``: the weighted parts of the published objective that are not zero."""

    instance: str
    format: str
    cost: float
    parts: dict[str, float]
    left_over: int
    seconds: float
    evaluations: int
    seed: int
    out: str | None
    ended_early: bool = False

    def as_json(self) -> dict[str, Any]:
        """The summary as plain values."""
        return {name: getattr(self, name) for name in self.__slots__}

    def lines(self) -> list[str]:
        """The summary as lines to print: the cost first."""
        shares = ", ".join(f"{name} {cost:.3f}" for name, cost in sorted(self.parts.items(), key=lambda part: -part[1]))
        written = [f"solution: {self.out}"] if self.out else []
        return [
            f"cost {self.cost:.3f}",
            f"parts: {shares}",
            f"left over: {self.left_over}",
            f"checked: every rule of the instance holds ({self.format}, {self.instance})",
            f"{self.evaluations} evaluations in {self.seconds:.1f} s, seed {self.seed}" + (", ended early" if self.ended_early else ""),
            *written,
        ]


def read_instance(path: Path) -> tuple[str, Problem, Json]:
    """The format of an instance file, the problem in it, and the file's content.

    :raises Malformed: the file cannot be read, or is of no format that we know.
    """
    found = reading.load(path)
    for name, is_mine, read in FORMATS:
        if is_mine(found):
            return name, read(found, path.name), found
    raise Malformed(f"{path.name} is neither a Mankowska instance (central_offices) nor a unified one (terminal_points)")


def solve_instance(
    path: Path, seconds: float = 10.0, seed: int = 1, jobs: int = 1, out: Path | None = None, iterations: int | None = None
) -> Summary:
    """Solve a published instance and prove the answer; ``out`` gets the solution.

    ``seconds`` count from the first plan on, not the compiling; ``iterations`` replaces them where the same answer is wanted every time.

    Ctrl-C and SIGTERM end the search with the best plan so far. ``out`` is written whole or not at all.

    :raises Malformed: the instance cannot be read.
    :raises Invalid: there is no folder for ``out``.
    :raises RuleViolation: no plan keeps every hard limit within the budget, or nobody can do what has to be done.
    """
    from healthsvc.dayplan import warm
    from healthsvc.dayplan.search import StopRule
    from healthsvc.dayplan.solve import solve

    if seconds <= 0 or jobs < 1:
        raise Invalid("seconds have to be above zero and jobs at least one")
    if out is not None and (out.is_dir() or not os.access(out.parent, os.W_OK | os.X_OK)):
        raise Invalid(f"{out} cannot be written: {'it is a folder' if out.is_dir() else f'no folder {out.parent} that may be written'}")
    name, problem, found = read_instance(path)
    refuse_impossible(problem)
    warm()
    begun = time.perf_counter()
    stop = StopRule(iterations=iterations) if iterations is not None else StopRule(seconds=seconds)
    with ended_by_signal():
        plan = solve(problem, stop, seed, jobs)
        early = enough()
    took = time.perf_counter() - begun
    verdict = check(problem, plan)
    if out is not None:
        solution = _solution(name, problem, found, plan, verdict)
        _write(out, json.dumps(solution, indent=2, ensure_ascii=False) + "\n")
    parts = {part: cost for part, cost in verdict.parts.items() if cost}
    return Summary(
        path.name, name, verdict.cost, parts, len(plan.left_over), took, plan.evaluations, seed, str(out) if out else None, early
    )


def _write(out: Path, text: str) -> None:
    """A file is there whole or not at all."""
    fresh = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(out)
    finally:
        fresh.unlink(missing_ok=True)


def _solution(name: str, problem: Problem, found: Json, plan: Plan, verdict: Verdict) -> dict[str, Any]:
    """The solution object; what is written is read back and checked once more, times as rounded in the file."""
    if name == "mankowska":
        solution = mankowska.write(problem, plan)
        again = mankowska.read_plan(problem, json.loads(json.dumps(solution)), "solution")
    else:
        depots = {int(row["distance_matrix_index"]): str(row["id"]) for row in found["terminal_points"]}
        priced = {part: cost for part, cost in verdict.parts.items() if cost or part == "travel"}
        solution = uhhc_solution.write(problem, plan, priced, depots)
        again = uhhc_solution.read_plan(problem, json.loads(json.dumps(solution)), "solution")
    proof = check(problem, again)
    if not proof.good or abs(proof.cost - verdict.cost) > 0.01 * max(1.0, len(problem.visits) / 10):
        raise AssertionError(f"the written solution does not verify: {(*proof.violations, f'{proof.cost:.3f}')[0]}")
    return solution
