"""订阅主题 The topics of this house: what a hospital, a bureau or another system may want to be told of."""

from healthsvc.fhir.conformance.tables import Topic, Trigger
from healthsvc.fhir.json import Resource
from healthsvc.fhir.systems import BASE, code_system

WRITTEN = frozenset({"create", "update"})
EVERY = WRITTEN | {"delete"}
STAY = "class=IMP,ACUTE,NONAC,SS"
"""What ``hospital.inpatient_classes`` is as shipped: a topic is published, so that it does not change with a site's policy."""
VISIT = f"code={code_system('visit-kind')}|"

TOPICS: tuple[Topic, ...] = (
    Topic("health-file", "健康档案变更", "A health file was written or removed", (Trigger("Patient", EVERY),), ("_id", "identifier")),
    Topic(
        "hospital-stay", "住院动态", "Somebody was admitted, moved or discharged",
        (Trigger("Encounter", WRITTEN, STAY),), ("patient", "status", "service-provider"),
    ),
    Topic(
        "result", "检查检验结果", "A report was written",
        (Trigger("DiagnosticReport", EVERY),), ("patient", "code", "status", "category"),
    ),
    Topic(
        "contract", "签约变更", "A family-doctor contract was written",
        (Trigger("Contract", EVERY),), ("patient", "status", "contract-state"),
    ),
    Topic("green-channel", "绿色通道变更", "A green-channel flag was written", (Trigger("Flag", EVERY),), ("patient", "status", "code")),
    Topic("home-bed", "家庭病床变更", "A home bed was written", (Trigger("EpisodeOfCare", EVERY),), ("patient", "status", "type")),
    Topic("referral", "双向转诊", "A referral was written", (Trigger("ServiceRequest", EVERY),), ("patient", "status", "category")),
    Topic(
        "visit", "上门服务任务", "A visit was planned or changed",
        (Trigger("Task", WRITTEN, VISIT),), ("patient", "status", "owner", "code"),
    ),
    Topic(
        "visit-made", "上门服务完成", "A visit has been made",
        (Trigger("Task", WRITTEN, f"{VISIT}&status=completed", "status:not=completed", both=True),), ("patient", "owner", "code"),
    ),
    Topic(
        "infusion", "上门输液记录", "An infusion at home was written",
        (Trigger("MedicationAdministration", EVERY),), ("patient", "status"),
    ),
)  # fmt: skip
BACKPORT = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition"
R5 = "http://hl7.org/fhir/5.0/StructureDefinition/extension-SubscriptionTopic"


def canonical(topic: Topic) -> str:
    """The url by which a subscription names it."""
    return f"{BASE}/SubscriptionTopic/{topic.name}"


BY_URL = {canonical(one): one for one in TOPICS}


def as_basic(topic: Topic) -> Resource:
    """The topic as R4 can hold it: a Basic with R5's elements as extensions."""
    triggers = [_trigger(one) for one in topic.triggers]
    filters = [
        {
            "url": f"{R5}.canFilterBy",
            "extension": [
                {"url": "description", "valueMarkdown": name},
                {"url": "resource", "valueUri": one.type},
                {"url": "filterParameter", "valueString": name},
            ],
        }
        for one in topic.triggers
        for name in topic.filters
    ]
    shapes = [{"url": f"{R5}.notificationShape", "extension": [{"url": "resource", "valueUri": one.type}]} for one in topic.triggers]
    return {
        "resourceType": "Basic",
        "id": f"topic-{topic.name}",
        "extension": [
            {"url": f"{R5}.url", "valueUri": canonical(topic)},
            {"url": f"{R5}.title", "valueString": f"{topic.zh} {topic.en}"},
            {"url": f"{R5}.status", "valueCode": "active"},
            {"url": f"{R5}.description", "valueMarkdown": f"{topic.zh}。{topic.en}."},
            *triggers,
            *filters,
            *shapes,
        ],
        "code": {"coding": [{"system": "http://hl7.org/fhir/fhir-types", "code": "SubscriptionTopic"}], "text": topic.zh},
    }


def _trigger(one: Trigger) -> Resource:
    query = [
        *([{"url": "previous", "valueString": one.previous}] if one.previous else []),
        *([{"url": "current", "valueString": one.current}] if one.current else []),
        *([{"url": "requireBoth", "valueBoolean": True}] if one.both else []),
    ]
    return {
        "url": f"{R5}.resourceTrigger",
        "extension": [
            {"url": "resource", "valueUri": one.type},
            *({"url": "supportedInteraction", "valueCode": action} for action in sorted(one.interactions)),
            *([{"url": "queryCriteria", "extension": query}] if query else []),
        ],
    }
