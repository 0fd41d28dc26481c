"""HL7 v2 text in a SOAP envelope, as integration platforms of hospitals call it: read leniently, answered in the caller's own terms. Pure.

There is no standard service for it: every platform names the operation and its arguments differently (``HIPMessageServer(action, message)``
is a common one). So whatever the operation is called, the one argument that holds an HL7 message is taken: as text, in base64, inside of
an XML document that is itself a text (escaped or CDATA), or as an attachment (MTOM). The answer is wrapped as that caller's toolkit expects
it: WS-I Basic Profile 1.1 document/literal wrapped (``OpResponse``, same namespace). Where it could be two things it is refused.
"""

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email import message_from_bytes
from typing import Final
from urllib.parse import unquote
from xml.etree.ElementTree import Element, ParseError, TreeBuilder, XMLParser
from xml.sax.saxutils import escape, quoteattr

from healthsvc.errors import Malformed
from integrations.hl7v2.charset import decode

SOAP_11: Final = "http://schemas.xmlsoap.org/soap/envelope/"
SOAP_12: Final = "http://www.w3.org/2003/05/soap-envelope"
NAMESPACE: Final = "urn:healthsvc:hl7"
OPERATION: Final = "HL7Message"
ARGUMENT: Final = "message"
_STARTS: Final = ("MSH", "FHS", "BHS")
_RAW_STARTS: Final = tuple(start.encode() for start in _STARTS)
_FRAME: Final = b"\x0b\x1c\r\n\t "
"""What some put around a message before they pack it: the framing of MLLP."""
_BASE64: Final = re.compile(r"[A-Za-z0-9+/]{8,}={0,2}")
_IN_XML: Final = "urn:hl7-org:v2xml"
"""Namespace of HL7's XML encoding of version 2."""
_INCLUDE: Final = "{http://www.w3.org/2004/08/xop/include}Include"
_CHARSET: Final = re.compile(r"""charset\s*=\s*["']?([\w.-]+)""", re.IGNORECASE)
_CHINESE: Final = frozenset({"gbk", "gb2312", "gb18030"})
_DECLARED: Final = re.compile(rb"^\s*<\?xml[^>]*\?>")
_CHINESE_PROLOG: Final = re.compile(rb"""^\s*<\?xml[^>]*encoding=["'](?:gbk|gb2312|gb18030)["'][^>]*\?>""", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Call:
    """What came in an envelope: the message, and how its sender wants to be answered."""

    message: bytes
    version: str = SOAP_11
    namespace: str = NAMESPACE
    operation: str = OPERATION
    qualified: bool = True
    """Whether the arguments stand in the namespace of the operation, as .NET writes them; Java's tools write ``arg0`` in none."""
    packed: bool = False
    """Whether the message came in base64; the answer then goes the same way."""


class _NoDoctype(TreeBuilder):
    """SOAP forbids document types; without them no entity can be declared, so nothing can swell or read a file."""

    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:
        raise Malformed("a SOAP message has no DOCTYPE; leave it out")


def read_call(body: bytes, content_type: str = "") -> Call:
    """The call in an envelope of SOAP 1.1 or 1.2; ``content_type`` says whether parts are attached to it, and its characters.

    Raises:
        Malformed: it is no XML, no envelope, or not exactly one argument holds an HL7 message; the text says which.
    """
    attached: Mapping[str, bytes] = {}
    if content_type.lower().startswith("multipart/"):
        body, attached = _parts(body, content_type)
    elif (said := _CHARSET.search(content_type)) and said[1].lower() in _CHINESE and not body.lstrip().startswith(b"<?xml"):
        body = b'<?xml version="1.0" encoding="gb18030"?>' + body.lstrip()
    envelope = _parsed(body)
    version, name = _split(envelope.tag)
    if name != "Envelope" or version not in (SOAP_11, SOAP_12):
        raise Malformed("the body is no SOAP 1.1 or 1.2 envelope; for HL7 text alone POST to /hl7")
    inside = envelope.find(f"{{{version}}}Body")
    if inside is None or len(inside) != 1:
        raise Malformed("a SOAP body holds exactly one element, the operation")
    namespace, operation = _split(inside[0].tag)
    found = [(argument, *one) for argument in inside.iter() for one in _messages(argument, attached)]
    if len(found) > 1:
        raise Malformed(f"the operation holds {len(found)} HL7 messages; send each in a call of its own, or all of them as one batch (BHS)")
    for argument, text, packed in found:
        return Call(text, version, namespace, operation, bool(_split(argument.tag)[0]) and argument is not inside[0], packed)
    if any(_IN_XML in argument.tag or _IN_XML in (argument.text or "") for argument in inside.iter()):
        raise Malformed("the message is in HL7's XML encoding (urn:hl7-org:v2xml); send it as ER7 text, which begins with MSH")
    raise Malformed("no argument of the operation holds an HL7 v2 message (text that begins with MSH, or its base64)")


def answer(call: Call, reply: bytes) -> bytes:
    """The envelope that carries an HL7 answer (in whatever character set) back."""
    text = base64.b64encode(reply).decode() if call.packed else decode(reply, unlabelled="GB18030").text
    inner = f"{call.operation}Result" if call.qualified else "return"
    # an XML reader turns a bare carriage return into a line feed; the caller's HL7 reader wants its segments ended by the former
    value = escape(text, {"\r": "&#13;"})
    declared = f" xmlns={quoteattr(call.namespace)}" if call.namespace else ""
    unqualified = ' xmlns=""' if call.namespace and not call.qualified else ""
    return _envelope(
        call.version,
        f"<{call.operation}Response{declared}><{inner}{unqualified}>{value}</{inner}></{call.operation}Response>",
    )


def fault(text: str, version: str = SOAP_11, *, ours: bool = False) -> bytes:
    """A SOAP fault; ``ours``: the sender did nothing wrong and may try again."""
    said = escape(text)
    if version == SOAP_12:
        code = "Receiver" if ours else "Sender"
        inner = f'<s:Code><s:Value>s:{code}</s:Value></s:Code><s:Reason><s:Text xml:lang="en">{said}</s:Text></s:Reason>'
    else:
        inner = f"<faultcode>s:{'Server' if ours else 'Client'}</faultcode><faultstring>{said}</faultstring>"
    return _envelope(version, f"<s:Fault>{inner}</s:Fault>")


def version_of(content_type: str) -> str:
    """Which SOAP an HTTP content type announces."""
    return SOAP_12 if content_type.lower().startswith("application/soap+xml") else SOAP_11


def media_type(version: str) -> str:
    """The HTTP content type of an envelope."""
    return "application/soap+xml; charset=utf-8" if version == SOAP_12 else "text/xml; charset=utf-8"


def wsdl(address: str) -> str:
    """A WSDL 1.1 for callers whose tools start from one: one operation, one string in, one string out."""
    to = quoteattr(address)
    return f"""<?xml version="1.0" encoding="utf-8"?>
<definitions name="HL7" targetNamespace="{NAMESPACE}" xmlns="http://schemas.xmlsoap.org/wsdl/" xmlns:tns="{NAMESPACE}"
    xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/" xmlns:soap12="http://schemas.xmlsoap.org/wsdl/soap12/"
    xmlns:xsd="http://www.w3.org/2001/XMLSchema">
  <types>
    <xsd:schema targetNamespace="{NAMESPACE}" elementFormDefault="qualified">
      <xsd:element name="{OPERATION}"><xsd:complexType><xsd:sequence>
        <xsd:element name="{ARGUMENT}" type="xsd:string"/>
      </xsd:sequence></xsd:complexType></xsd:element>
      <xsd:element name="{OPERATION}Response"><xsd:complexType><xsd:sequence>
        <xsd:element name="{OPERATION}Result" type="xsd:string"/>
      </xsd:sequence></xsd:complexType></xsd:element>
    </xsd:schema>
  </types>
  <message name="Request"><part name="parameters" element="tns:{OPERATION}"/></message>
  <message name="Response"><part name="parameters" element="tns:{OPERATION}Response"/></message>
  <portType name="HL7">
    <operation name="{OPERATION}"><input message="tns:Request"/><output message="tns:Response"/></operation>
  </portType>
  <binding name="HL7Soap" type="tns:HL7">
    <soap:binding style="document" transport="http://schemas.xmlsoap.org/soap/http"/>
    <operation name="{OPERATION}"><soap:operation soapAction="{NAMESPACE}:{OPERATION}"/>
      <input><soap:body use="literal"/></input><output><soap:body use="literal"/></output></operation>
  </binding>
  <binding name="HL7Soap12" type="tns:HL7">
    <soap12:binding style="document" transport="http://schemas.xmlsoap.org/soap/http"/>
    <operation name="{OPERATION}"><soap12:operation soapAction="{NAMESPACE}:{OPERATION}"/>
      <input><soap12:body use="literal"/></input><output><soap12:body use="literal"/></output></operation>
  </binding>
  <service name="HL7Service">
    <port name="HL7Soap" binding="tns:HL7Soap"><soap:address location={to}/></port>
    <port name="HL7Soap12" binding="tns:HL7Soap12"><soap12:address location={to}/></port>
  </service>
</definitions>
"""


def _parsed(body: bytes, *, told: bool = False) -> Element:
    """An XML document; ``told``: it is a text that has been read already, so what it declares of its characters is past."""
    if told:
        body = _DECLARED.sub(b"", body, count=1)
    parser = XMLParser(target=_NoDoctype())  # noqa: S314 - document types, and with them entities, are refused above
    prolog = _CHINESE_PROLOG.match(body)
    try:
        if prolog:  # the parser reads no multi-byte set but UTF
            body = body[prolog.end() :].decode("gb18030").encode()
        parser.feed(body)
        made: Element = parser.close()
    except (ParseError, ValueError, LookupError) as wrong:
        place = getattr(wrong, "position", None)
        where = f" (line {place[0]}, column {place[1]})" if place else ""
        raise Malformed(f"the body is no well-formed XML{where}") from None
    return made


def _messages(argument: Element, attached: Mapping[str, bytes]) -> Iterator[tuple[bytes, bool]]:
    """The HL7 messages in an argument, each with whether it was packed: one or none, but for a document that holds several."""
    included = argument.find(_INCLUDE)
    if included is not None:
        part = _unframed(attached.get(unquote(included.get("href", "").removeprefix("cid:")), b""))
        if part.startswith(_RAW_STARTS):
            yield part, True
        return
    plain = (argument.text or "").strip().removeprefix("\ufeff")
    if plain.startswith("<"):
        try:
            document = _parsed(plain.encode(), told=True)
        except Malformed:
            return
        for inner in document.iter():
            if (one := _message(inner.text or "")) is not None:
                yield one
    elif (one := _message(plain)) is not None:
        yield one


def _message(text: str) -> tuple[bytes, bool] | None:
    """The HL7 message in a text and whether it was packed; None where there is none."""
    plain = text.strip().removeprefix("\ufeff")
    if plain.startswith(_STARTS):
        return plain.encode(), False
    squeezed = "".join(plain.split())
    if not _BASE64.fullmatch(squeezed):
        return None
    try:
        unpacked = _unframed(base64.b64decode(squeezed, validate=True))
    except (binascii.Error, ValueError):
        return None
    return (unpacked, True) if unpacked.startswith(_RAW_STARTS) else None


def _unframed(raw: bytes) -> bytes:
    """Without MLLP's frame and a byte order mark."""
    bare = raw.strip(_FRAME).removeprefix(b"\xef\xbb\xbf").lstrip(_FRAME)
    return bare + b"\r" if bare else b""


def _parts(body: bytes, content_type: str) -> tuple[bytes, dict[str, bytes]]:
    """The envelope of a multipart body (MTOM, SOAP with attachments), and what is attached to it, by content id.

    Raises:
        Malformed: it has no such parts.
    """
    whole = message_from_bytes(f"Content-Type: {content_type}\r\n\r\n".encode("latin-1", "replace") + body)
    if not whole.is_multipart():
        raise Malformed("the body is not divided into parts as its content type says; check the boundary")
    parts = [(str(one.get("content-id", "")).strip("<> "), one.get_payload(decode=True)) for one in whole.walk() if not one.is_multipart()]
    held = {name: part for name, part in parts if isinstance(part, bytes)}
    start = str(whole.get_param("start", "") or "").strip("<> ")
    root = held.get(start) if start else next(iter(held.values()), None)
    if root is None:
        raise Malformed("the multipart body has no part that its content type names as the envelope (start)")
    return root, held


def _split(tag: str) -> tuple[str, str]:
    """Namespace and local name of an element's tag."""
    namespace, _, name = tag.rpartition("}")
    return namespace.removeprefix("{"), name


def _envelope(version: str, inner: str) -> bytes:
    return f'<?xml version="1.0" encoding="utf-8"?><s:Envelope xmlns:s="{version}"><s:Body>{inner}</s:Body></s:Envelope>'.encode()
