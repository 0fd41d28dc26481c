"""Search parameters that R4 does not have and our people need: names in pinyin, what our extensions say, and elements that R4 left out."""

from typing import Any

from healthsvc.fhir.systems import extension

PINYIN = "pinyin"
PEOPLE = ("Patient", "Practitioner", "RelatedPerson", "Person")

COMPARTMENT: dict[str, tuple[str, ...]] = dict.fromkeys(("Task", "Contract", "Device", "GuidanceResponse"), ("patient",))
"""What R4 leaves out of the Patient compartment (R5 put Task and Contract in): who may not see a person must not see what is theirs."""
SECURED: dict[str, tuple[str, ...]] = {"Binary": ("security-context",)}
"""What is seen with the person all the same, but is no part of ``$everything`` or of an export of theirs (R4 Binary.securityContext)."""

UNIONS: dict[tuple[str, str], tuple[str, ...]] = {
    ("Observation", f"combo-{what}"): (what, f"component-{what}")
    for what in ("code", "value-quantity", "value-concept", "data-absent-reason", "code-value-quantity", "code-value-concept")
}
"""Parameters of R4 that mean several others together, by type and code: their entries would be those of the others once more (a quarter of
what an Observation has), so they are searched as the others and have none of their own."""


def rows() -> list[list[Any]]:
    """Rows in the shape of the packaged facts: ``[id, code, type, bases, expression, targets, components, description]``.

    The description is ``中文 | English``.
    """
    unit = f"Patient.extension('{extension('managing-unit')}').value"
    area = f"Patient.extension('{extension('residence-area')}').value.ofType(CodeableConcept)"
    return [
        row(
            "person-pinyin",
            PINYIN,
            "string",
            " | ".join(f"{one}.name" for one in PEOPLE),
            "姓名拼音全拼或首字母 | Name in pinyin, full or initials",
        ),
        row(
            "Patient-managing-unit",
            "managing-unit",
            "string",
            f"{unit}.ofType(Reference).display",
            "管理单位名称 | Name of the managing unit",
        ),
        row(
            "Patient-managing-unit-organization",
            "managing-unit-organization",
            "reference",
            unit,
            "管理单位 | Managing unit",
            ["Organization"],
        ),
        row(
            "Patient-residence-area",
            "residence-area",
            "string",
            f"{area}.text | {area}.coding.display | {area}.coding.code",
            "居住地区划名称或代码 | Area where the person lives, name or code",
        ),
        of_extension("Patient", "cadre-category", "离休或退休 | Category of retired cadre"),
        of_extension("Patient", "risk-tag", "风险标签 | Risk tag"),
        of_extension("Patient", "resettled", "易地安置 | Settled away from the managing unit"),
        of_extension("Patient", "living-arrangement", "居住情况 | Living arrangement"),
        row("Flag-code", "code", "token", "Flag.code", "标志代码 | What the flag says"),
        row("Flag-category", "category", "token", "Flag.category", "标志类别 | Category of the flag"),
        row("Flag-status", "status", "token", "Flag.status", "标志状态 | Status of the flag"),
        of_extension("Flag", "green-channel-reason", "绿色通道依据 | Reason for the green channel"),
        row("Contract-applies", "applies", "date", "Contract.applies", "协议期限 | Term of the contract"),
        row("Contract-type", "type", "token", "Contract.type", "协议类型 | Kind of contract"),
        of_extension("Contract", "contract-state", "签约状态 | State of the contract"),
        row(
            "Contract-signed-doctor",
            "signed-doctor",
            "reference",
            f"Contract.extension('{extension('signed-doctor')}').value",
            "签约医生 | Doctor who signed",
            ["Practitioner", "PractitionerRole"],
        ),
        row(
            "Contract-paired-nurse",
            "paired-nurse",
            "reference",
            f"Contract.extension('{extension('paired-nurse')}').value",
            "结对护士 | Nurse paired with the doctor",
            ["Practitioner", "PractitionerRole"],
        ),
        row(
            "Binary-security-context",
            "security-context",
            "reference",
            "Binary.securityContext",
            "与谁的权限相同 | Whose access rules apply to the bytes",
        ),
        row("Consent-effect", "effect", "token", "Consent.provision.type", "同意或拒绝 | Whether it permits or denies"),
        row("Task-window", "window", "date", "Task.restriction.period", "服务窗口 | From when until when it may be done"),
    ]


def row(name: str, code: str, kind: str, expression: str, text: str, targets: list[str] | None = None) -> list[Any]:
    """One parameter; its bases are the types that the expression begins with."""
    bases = list(dict.fromkeys(part.strip().partition(".")[0] for part in expression.split(" | ")))
    return [name, code, kind, bases, expression, targets or [], [], text]


def of_extension(base: str, name: str, text: str) -> list[Any]:
    """A token parameter on the value of one of our extensions, named like it."""
    return row(f"{base}-{name}", name, "token", f"{base}.extension('{extension(name)}').value", text)
