"""What was typed into a form, as text."""

from fastapi import Request

from healthsvc.web.findings_form import Typed


async def typed_form(request: Request) -> Typed:
    """Everything that was typed, as text."""
    given = await request.form()
    return Typed({key: value for key, value in given.items() if isinstance(value, str)}, [str(v) for v in given.getlist("danger")])
