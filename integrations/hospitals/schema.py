"""The JSON Schema of link profiles, made of the same lists that the reader of profiles checks by."""

import json
from typing import Any

from integrations.hl7v2.ack import AckMode
from integrations.hospitals import reader
from integrations.hospitals.destination import APPLICATION_ANSWERS, VERSIONS, People, Topic
from integrations.hospitals.profile import NUMBER_MEANINGS, Unknown, UnknownEvent

ID = "https://healthsvc.example/schema/link-profile.json"
Schema = dict[str, Any]
_TEXT: Schema = {"type": "string"}
_TEXTS: Schema = {"type": "array", "items": _TEXT}
_EVENT: Schema = {"type": "string", "pattern": f"^{reader.EVENT.pattern}$"}


def schema() -> Schema:
    """The schema (draft 2020-12). What ``extends`` brings need not be repeated; ``profile``, ``version`` and ``title`` always stand."""
    means = {"enum": sorted(NUMBER_MEANINGS)}
    number = {
        "type": "object",
        "properties": {"kind": _TEXT, "authority": _TEXT, "means": means, "identity": {"type": "boolean"}},
        "required": ["means"],
        "anyOf": [{"required": ["kind"]}, {"required": ["authority"]}],
        "additionalProperties": False,
    }
    names = ("sending_application", "sending_facility", "receiving_application", "receiving_facility")
    match = {
        "type": "object",
        "properties": {**dict.fromkeys(names, _TEXT), "listen": _TEXTS, "peers": _TEXTS},
        "additionalProperties": False,
    }
    properties: Schema = {
        "extends": {**_TEXT, "description": "name of a shipped profile whose settings are taken over"},
        "profile": {**_TEXT, "minLength": 1, "description": "name of the line"},
        "version": {"type": "integer", "minimum": 1, "description": "raise it with every change"},
        "title": {**_TEXT, "minLength": 1},
        "hospital": {**_TEXT, "minLength": 1, "description": "code of the hospital in our identifier systems"},
        "match": match,
        "charset": {**_TEXT, "description": "used before MSH-18 where the bytes are not UTF-8"},
        "charset_unlabelled": {**_TEXT, "description": "used where MSH-18 is empty or unknown"},
        "ack": {"enum": [each.value for each in AckMode]},
        "ack_unasked": {
            "enum": [each.value for each in AckMode],
            "description": "on an enhanced link: how a message with empty MSH-15 and MSH-16 is answered; by the standard original",
        },
        "unknown_person": {"enum": [each.value for each in Unknown]},
        "unknown_event": {"enum": [each.value for each in UnknownEvent]},
        "missing_segment": {"enum": ["refuse", "review"], "description": "what becomes of a message without a segment that it needs"},
        "control_id": {"enum": ["required", "optional"], "description": "whether a message without MSH-10 is refused"},
        "decimal_mark": {"enum": ["point", "comma"], "description": "how the site writes one and a half in results and ranges: 1.5 or 1,5"},
        "time_zone": {**_TEXT, "description": "in which times without an offset are meant: +0800 or Asia/Shanghai; empty: as MSH-7 says"},
        "offsets": {"enum": ["believe", "ignore"], "description": "ignore: the sender's offsets are not true, its times are local"},
        "silence_minutes": {"type": "integer", "minimum": 0, "description": "after how long a silent line is an alarm; 0: never"},
        "unended_hours": {
            "type": "object",
            "propertyNames": {"enum": sorted(reader.CLASSES)},
            "additionalProperties": {"type": "integer", "minimum": 0},
            "description": "hours without a word after which a visit of a class is taken as ended; 0: never",
        },
        "number": {"type": "array", "items": number, "description": "what a number of PID-3 is, by CX.5 or CX.4"},
        "untyped": means,
        "unlisted": means,
        "pid_2": means,
        "pid_19": means,
        "sex": _words(reader.SEXES),
        "visit_class": _words(reader.CLASSES),
        "vip": _words(reader.REASONS),
        "patient_type": _words(reader.REASONS),
        "abnormal": _words(reader.FLAGS),
        "appointment": _words(reader.BOOKINGS),
        "transaction": _words(reader.TRANSACTIONS),
        "no_allergy": {**_TEXTS, "description": "words of AL1-3 and IAM-3 that say that there is no allergy"},
        "nothing": {**_TEXTS, "description": "words that mean an empty field"},
        "events": {"type": "object", "propertyNames": _EVENT, "additionalProperties": _EVENT},
        "answers": {"type": "object", "propertyNames": _EVENT, "additionalProperties": _EVENT},
        "master": {
            "type": "object",
            "properties": {what: _layout(keys) for what, keys in reader.LAYOUTS.items()},
            "additionalProperties": False,
        },
        "infusion_routes": {**_TEXTS, "description": "words of RXR-1 that mean a drip into a vein"},
        "receive": {
            "type": "object",
            "properties": {"folder": {**_TEXT, "description": "where the hospital leaves files of messages"}},
            "additionalProperties": False,
        },
        "send": _send(),
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": ID,
        "title": "Link profile of one hospital line",
        "type": "object",
        "properties": properties,
        "required": ["profile", "version", "title"],
        "additionalProperties": False,
    }


def text() -> str:
    """The schema as it is published."""
    return json.dumps(schema(), ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def _words(codes: frozenset[str]) -> Schema:
    return {"type": "object", "additionalProperties": {"enum": sorted(codes)}}


def _layout(keys: frozenset[str]) -> Schema:
    position = {"type": "integer", "minimum": 1, "maximum": 999}
    return {
        "type": "object",
        "properties": {"segment": _TEXT, **dict.fromkeys(sorted(keys), position)},
        "required": ["segment"],
        "additionalProperties": False,
    }


def _send() -> Schema:
    flag = {
        "type": "object",
        "properties": {
            "field": {"type": "string", "pattern": "^(PV1-16|PV1-18|Z[A-Z0-9]{2})?$"},
            "yes": _TEXT,
            "no": _TEXT,
            "pay_later": _TEXTS,
        },
        "additionalProperties": False,
    }
    plain = ("organization", "charset", "charset_label", "own_number", "ca", "certificate", "key")
    names = ("sending_application", "sending_facility", "receiving_application", "receiving_facility")
    return {
        "type": "object",
        "properties": {
            "host": {**_TEXT, "minLength": 1},
            "port": {"type": "integer", "minimum": 1, "maximum": 65535},
            "seconds": {"type": "number", "exclusiveMinimum": 0, "maximum": 600},
            "version": {"enum": list(VERSIONS)},
            "ack": {"enum": [each.value for each in AckMode], "description": "enhanced: CA at once, AA, AE or AR later"},
            "application_answer": {"enum": list(APPLICATION_ANSWERS), "description": "MSH-16 in enhanced mode"},
            "topics": {"type": "array", "items": {"enum": [each.value for each in Topic]}},
            "people": {"enum": [each.value for each in People]},
            "green_channel": flag,
            "sex": {"type": "object", "propertyNames": {"enum": sorted(reader.SEXES)}, "additionalProperties": _TEXT},
            "tls": {"type": "boolean"},
            **dict.fromkeys((*plain, *names), _TEXT),
        },
        "required": ["host", "port"],
        "additionalProperties": False,
    }
