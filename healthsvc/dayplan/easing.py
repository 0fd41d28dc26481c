"""What pinned visits force: a confirmed visit stays, so the limits that it breaks give way, by as little as they must.

A visit is confirmed by people: they may have placed it before the shift begins, over the break, or so close behind another that the way
takes a minute longer; and on the day itself time moves on while the traveller is already under way. Such a pin is a fact, not a reason to
refuse a plan for everybody else.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise

from healthsvc.dayplan.problem import FOREVER, NO_WAY, Caregiver, Minutes, Pin, Problem, Service, Visit, Window, pinned_start

Begins = dict[tuple[str, int], Minutes]


@dataclass(frozen=True, slots=True)
class Held:
    """One service of a pinned visit."""

    visit: Visit
    number: int

    @property
    def key(self) -> tuple[str, int]:
        return self.visit.id, self.number

    @property
    def service(self) -> Service:
        return self.visit.services[self.number]

    @property
    def window(self) -> tuple[Minutes, Minutes]:
        return pinned_start(self.visit, self.number)


def eased(problem: Problem) -> Problem:
    """The problem in which all pinned visits can be kept: shifts reach from the first to the last of them, a pinned visit begins as much
    later as the pinned ones before it force, a break that fits nowhere between them is not asked for, gaps between two of them are theirs.
    """
    pinned = {visit.id: visit for visit in problem.visits if visit.pinned}
    held = chains(problem, pinned.values())
    if not any(held.values()):
        return problem
    begins = earliest(problem, pinned.values(), held)
    late = {name: max(0.0, *_later(visit, begins)) for name, visit in pinned.items()}
    return replace(
        problem,
        visits=tuple(_visit(visit, pinned, late) if visit.pinned else visit for visit in problem.visits),
        caregivers=tuple(_person(problem, person, held[person.id], begins) for person in problem.caregivers),
    )


def chains(problem: Problem, pinned: Collection[Visit]) -> dict[str, list[Held]]:
    """Everybody's pinned services in order of time."""
    chains: dict[str, list[Held]] = {person.id: [] for person in problem.caregivers}
    for visit in pinned:
        for number, who in enumerate(visit.pinned.caregivers if visit.pinned else ()):
            if who in chains:
                chains[who].append(Held(visit, number))
    return {who: sorted(chain, key=lambda one: one.window) for who, chain in chains.items()}


def earliest(problem: Problem, pinned: Collection[Visit], chains: dict[str, list[Held]]) -> Begins:
    """When each pinned service can begin at the earliest, the pinned visits alone being made; pairs keep their gap."""
    begins = {one.key: one.window[0] for chain in chains.values() for one in chain}
    for _ in range(len(begins)):
        before = dict(begins)
        for person in problem.caregivers:
            for first, second in pairwise(chains[person.id]):
                way = _way(problem, person, first.visit.place, second.visit.place)
                reached = begins[first.key] + first.service.duration + way
                begins[second.key] = max(begins[second.key], reached if way < NO_WAY else 0.0)
        for visit in pinned:
            for number in range(1, len(visit.services)) if visit.gap else ():
                assert visit.gap is not None
                one, two = (visit.id, number - 1), (visit.id, number)
                begins[two] = max(begins[two], begins[one] + visit.gap.least)
                begins[one] = max(begins[one], begins[two] - visit.gap.most)
        if begins == before:
            break
    return begins


def _later(visit: Visit, begins: Begins) -> Iterator[Minutes]:
    """How much later than confirmed the services of a pinned visit begin."""
    for number in range(len(visit.services)):
        yield begins.get((visit.id, number), 0.0) - pinned_start(visit, number)[1]


def _visit(visit: Visit, pinned: Mapping[str, Visit], late: Mapping[str, Minutes]) -> Visit:
    assert visit.pinned is not None
    start, more = visit.pinned.start, late[visit.id]
    after = visit.after
    earlier = pinned.get(after.visit) if after else None
    if after and earlier:
        last = max(pinned_start(earlier, number)[1] for number in range(len(earlier.services))) + late[earlier.id]
        after = replace(after, least=min(after.least, start - last))
    return replace(visit, pinned=Pin(visit.pinned.caregivers, start, more), windows=(Window(start, start + more),), after=after)


def _person(problem: Problem, person: Caregiver, chain: list[Held], begins: Begins) -> Caregiver:
    if not chain:
        return person
    first, last = chain[0], chain[-1]
    out = _way(problem, person, person.start_place, first.visit.place)
    home = _way(problem, person, last.visit.place, person.end_place)
    starts = min(person.shift.start, begins[first.key] - out) if out < NO_WAY else person.shift.start
    ends = person.shift.end
    if home < NO_WAY and ends < FOREVER:
        ends = max(ends, begins[last.key] + last.service.duration + home)
    rest = person.rest if _rests(problem, person, chain, begins) else None
    return replace(person, shift=Window(starts, ends), rest=rest)


def _rests(problem: Problem, person: Caregiver, chain: list[Held], begins: Begins) -> bool:
    """Whether the break fits before, between or after the pinned visits."""
    if person.rest is None:
        return False
    window, length = person.rest.window, person.rest.duration
    free, here = person.shift.start, person.start_place
    for one in chain:
        leave = begins[one.key] - _way(problem, person, here, one.visit.place)
        if max(free, window.start) + length <= leave and max(free, window.start) <= window.end:
            return True
        free, here = begins[one.key] + one.service.duration, one.visit.place
    home = _way(problem, person, here, person.end_place)
    return max(free, window.start) <= window.end and max(free, window.start) + length + home <= person.shift.end


def _way(problem: Problem, person: Caregiver, here: int, there: int) -> Minutes:
    return float(problem.travel[person.mode][here, there])
