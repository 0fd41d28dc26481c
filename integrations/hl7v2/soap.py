"""HL7 v2 text in a SOAP envelope, as integration platforms of hospitals call it: read leniently, answered in the caller's own terms. Pure.

There is no standard service for it: every platform names the operation and its arguments differently (``HIPMessageServer(action, message)``
is a common one). So whatever the operation is called, the argument that holds an HL7 message (as text or in base64) is taken, and the
answer is wrapped as that caller's toolkit expects it: WS-I Basic Profile 1.1 document/literal wrapped (``OpResponse``, same namespace).
"""

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Final
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
_PACKED_STARTS: Final = tuple(base64.b64encode(start.encode()).decode() for start in _STARTS)
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


def read_call(body: bytes) -> Call:
    """The call in an envelope of SOAP 1.1 or 1.2.

    Raises:
        Malformed: it is no XML, no envelope, or no argument holds an HL7 message; the text says which.
    """
    envelope = _parsed(body)
    version, name = _split(envelope.tag)
    if name != "Envelope" or version not in (SOAP_11, SOAP_12):
        raise Malformed("the body is no SOAP 1.1 or 1.2 envelope; for HL7 text alone POST to /hl7")
    inside = envelope.find(f"{{{version}}}Body")
    if inside is None or len(inside) != 1:
        raise Malformed("a SOAP body holds exactly one element, the operation")
    namespace, operation = _split(inside[0].tag)
    for argument in inside.iter():
        found = _message(argument.text or "")
        if found is not None:
            text, packed = found
            return Call(text, version, namespace, operation, bool(_split(argument.tag)[0]) and argument is not inside[0], packed)
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


def _parsed(body: bytes) -> Element:
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


def _message(text: str) -> tuple[bytes, bool] | None:
    """The HL7 message in an argument and whether it was packed; None where there is none."""
    plain = text.strip()
    if plain.startswith(_STARTS):
        return plain.encode(), False
    squeezed = "".join(plain.split())
    if squeezed.startswith(_PACKED_STARTS):
        try:
            unpacked = base64.b64decode(squeezed, validate=True)
        except (binascii.Error, ValueError):
            return None
        return unpacked, True
    return None


def _split(tag: str) -> tuple[str, str]:
    """Namespace and local name of an element's tag."""
    namespace, _, name = tag.rpartition("}")
    return namespace.removeprefix("{"), name


def _envelope(version: str, inner: str) -> bytes:
    return f'<?xml version="1.0" encoding="utf-8"?><s:Envelope xmlns:s="{version}"><s:Body>{inner}</s:Body></s:Envelope>'.encode()
