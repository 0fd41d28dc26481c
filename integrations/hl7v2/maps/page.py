"""The mapping as a document: what becomes of each field, and where we differ from HL7's own tables. Written from the tables themselves."""

from collections.abc import Iterable, Iterator

from integrations.hl7v2.families import Family, events
from integrations.hl7v2.maps.catalogue import VERSION, Entry, Fate, entries
from integrations.hl7v2.maps.differences import CODES, ELSEWHERE, NOT_TAKEN
from integrations.hl7v2.maps.types import MESSAGES, TYPES

SEGMENTS = {
    "MSH": "消息头 Message header",
    "EVN": "事件 Event type",
    "PID": "患者 Patient identification",
    "NK1": "亲属 Next of kin",
    "MRG": "合并 Merge",
    "PV1": "就诊 Patient visit",
    "PV2": "就诊补充 Patient visit, additional",
    "DG1": "诊断 Diagnosis",
    "PR1": "手术操作 Procedures",
    "AL1": "过敏 Allergy",
    "IAM": "过敏（带动作） Patient adverse reaction",
    "IN1": "保险 Insurance",
    "ORC": "医嘱公共段 Common order",
    "OBR": "申请与报告 Observation request",
    "OBX": "结果 Observation",
    "PRT": "参与 Participation",
    "ROL": "角色 Role",
    "NTE": "备注 Notes",
    "SPM": "标本 Specimen",
    "TQ1": "时间与数量 Timing and quantity",
    "RXO": "用药医嘱 Pharmacy order",
    "RXE": "药房编码医嘱 Encoded order",
    "RXR": "给药途径 Route",
    "RXC": "成分 Component",
    "RXD": "发药 Dispense",
    "RXA": "给药 Administration",
    "SCH": "预约 Schedule",
    "AIS": "预约服务 Appointment, service",
    "AIG": "预约资源 Appointment, general resource",
    "AIL": "预约地点 Appointment, location",
    "AIP": "预约人员 Appointment, personnel",
    "TXA": "文档 Document",
    "PRB": "健康问题 Problem",
    "RF1": "转诊 Referral",
    "FT1": "费用 Financial transaction",
    "MFE": "主文件条目 Master file entry",
    "STF": "人员 Staff",
    "PRA": "执业信息 Practitioner detail",
    "LOC": "科室与病区 Location",
}
_FATE = {Fate.MAPPED: "→", Fate.KEPT: "原样保留 kept", Fate.DROPPED: "不取 dropped"}
_HEAD = f"""# HL7 字段对照 · What becomes of every HL7 field

本页由程序中的对照表生成（`healthsvc hl7 mapping --markdown`），测试逐字段验证：标为映射的字段改变所列元素，其余字段什么也不改变。
This page is written from the tables that the program works by (`healthsvc hl7 mapping --markdown`). A test proves it field by field: one
that is mapped changes the element named, and any other changes nothing.

- **→ 映射 mapped**：成为所列 FHIR 元素。It becomes the FHIR element named.
- **原样保留 kept**：不生成元素，但原始消息完整保存，每个由它生成的资源都指向它（Provenance → Binary）。
  No element is made of it; the message stays as it came, and every resource that it made leads to it (Provenance, entity, Binary).
  没有改变任何资源的消息（例如只有原样保留的字段变了）只留在收件箱，到[保留期限](data-classes.md)为止。
  A message that changed no resource (only such a field is new, say) stays in the inbox alone, [for its time](data-classes.md).
- **不取 dropped**：有意不取，并说明原因；原始消息中仍在。Passed over on purpose, with the reason; it still stands in the message.

字段名依 HL7 v{VERSION}。未列出的段（含 Z 段）一律原样保留。Names of fields after HL7 v{VERSION}. Segments that are not listed, Z segments
among them, are kept as they are; Z segments of master files can be laid out in the [link profile](connect-hospital.md).

从档案里的一个值找到它来自哪条消息的哪个字段：`healthsvc hl7 origin Patient/ID birthDate`，或页面 `/origin/Patient/ID`（有审计）。
From a value in the file to the message and field it came from: `healthsvc hl7 origin Patient/ID birthDate`, or the page
`/origin/Patient/ID`; every look is in the audit.
"""


def markdown() -> str:
    """The whole page."""
    return "\n".join([_HEAD, *_events(), *_tables(entries()), *_types(), *_differences(), ""])


def _events() -> Iterator[str]:
    yield "\n## 事件 · Messages and events\n"
    yield "每个事件归入哪一类见下；具体作用见[医院接入](connect-hospital.md)。标为不需要的，消息原样保存并应答接受，"
    yield "档案不变。其余未列出的事件按线路配置的 `unknown_event` 应答。Which family each event belongs to; what it does is told in"
    yield "[connecting a hospital](connect-hospital.md). One that is not needed is kept and accepted, and changes nothing; an event"
    yield "that is not listed is answered as the link's `unknown_event` says.\n"
    yield "| 事件 event | 类别 family | 说明 note |\n|---|---|---|"
    for event, family, note in events():
        yield f"| {event.replace('^', ' ')} | {'不需要 not needed' if family is Family.UNNEEDED else family.value} | {note} |"


def _tables(listed: Iterable[Entry]) -> Iterator[str]:
    current = ""
    for one in listed:
        if one.segment != current:
            current = one.segment
            yield f"\n## {current} {SEGMENTS[current]}\n"
            yield "| 字段 field | 名称 name | 去向 becomes | 说明 note |\n|---|---|---|---|"
        target = f"`{one.resource}.{one.element}`" if one.fate is Fate.MAPPED else _FATE[one.fate]
        yield f"| {one.place} | {one.name.replace('_', ' ').lower()} | {target} | {one.note} |"


def _types() -> Iterator[str]:
    yield "\n## 数据类型 · What becomes of the components of a data type\n"
    yield "一个字段成为哪个元素见上表；字段内各组成部分如下。Above: which element a field becomes; here: its components.\n"
    yield "| 类型 type | FHIR | 组成 components | 说明 note |\n|---|---|---|---|"
    for one in TYPES:
        taken = ", ".join(f"{one.type}.{at} → `{element}`" for at, element in one.takes.items())
        yield f"| {one.type} | {one.becomes} | {taken} | {one.note} |"


def _differences() -> Iterator[str]:
    yield "\n## 与 HL7 官方对照表的差异 · Where we differ from HL7's v2-to-FHIR tables\n"
    yield "| 字段 field | 资源 resource | 差异与原因 difference and reason |\n|---|---|---|"
    for table in (NOT_TAKEN, ELSEWHERE):
        for (segment, resource), fields in table.items():
            for field, reason in fields.items():
                yield f"| {segment}-{field} | {resource} | {reason} |"
    yield "\n| 组成 component | FHIR | 差异与原因 difference and reason |\n|---|---|---|"
    for one in TYPES:
        for at, reason in one.left.items():
            yield f"| {one.type}.{at} | {one.becomes} | {reason} |"
    yield "\n| 消息中的段 segment in a message | 官方资源 HL7's resource | 差异与原因 difference and reason |\n|---|---|---|"
    for (segment, resource), reason in MESSAGES.items():
        yield f"| {segment} | {resource} | {reason} |"
    yield "\n| 代码表 code table | 代码 code | 我们的取值与原因 ours, and why |\n|---|---|---|"
    for table_name, codes in CODES.items():
        for code, reason in codes.items():
            yield f"| {table_name} | {code} | {reason} |"
