"""Who does what at a visit for several people: everybody gets a service that they can do, however many come. Pure."""

from collections.abc import Callable, Sequence


def matched(services: int, people: Sequence[str], able: Callable[[int, str], bool]) -> tuple[str, ...]:
    """One of ``people`` for each of so many services, each person once: as many services as possible go to somebody who is ``able``, and
    whoever stands at the place of a service that they can do stays there as far as that goes. Who is left fills the rest in order.

    Augmenting paths (Kuhn 1955; Hopcroft and Karp 1973, section 1): time grows with the cube of the number of people.

    Raises:
        ValueError: there are not as many people as services, or one is named twice.
    """
    if len(people) != services or len(set(people)) != services:
        raise ValueError(f"{services} different people are needed, not {len(set(people))} of {len(people)}")
    fits = [[who for who in (people[k], *people) if able(k, who)] for k in range(services)]
    does: dict[str, int] = {}

    def place(service: int, tried: set[str]) -> bool:
        for who in fits[service]:
            if who in tried:
                continue
            tried.add(who)
            if who not in does or place(does[who], tried):
                does[who] = service
                return True
        return False

    for service in range(services):
        if able(service, people[service]) and people[service] not in does:
            does[people[service]] = service
    for service in sorted(set(range(services)) - set(does.values())):
        place(service, set())
    chosen = {service: who for who, service in does.items()}
    idle = iter(who for who in people if who not in does)
    return tuple(chosen[k] if k in chosen else next(idle) for k in range(services))
