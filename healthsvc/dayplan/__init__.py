"""The planner 日程安排: who goes where and when, what was left over and why, and what changes when the day goes wrong."""


def warm() -> float:
    """Compile the search ahead of its first use and keep the result on disk; the seconds it took (about a second once it is kept)."""
    from healthsvc.dayplan.warming import warm as compile_all

    return compile_all()
