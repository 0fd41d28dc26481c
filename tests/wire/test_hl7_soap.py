"""HL7 in SOAP envelopes: a real SOAP client, the habits of Java's and .NET's tools, and envelopes that mean harm."""

import base64
from collections.abc import Iterator
from xml.etree import ElementTree

import httpx
import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st
from serving import serving
from test_hl7_doors import adt, stored
from zeep import Client, Transport

from healthsvc import clock
from healthsvc.access import tokens
from healthsvc.app import create_app
from healthsvc.config import Settings
from healthsvc.errors import Malformed
from healthsvc.installation import open_installation
from healthsvc.store import SYSTEM, Database
from integrations.hl7v2 import soap
from integrations.hl7v2.replies import read_reply
from integrations.hospitals.shelf import shelf
from integrations.http import router
from integrations.inbox import Inbox

XML = {"content-type": "text/xml; charset=utf-8", "soapaction": '""'}


class Door:
    """A served door with a client that may feed."""

    def __init__(self, url: str, secret: str, database: Database) -> None:
        self.url, self.secret, self.database = url, secret, database
        self.client = httpx.Client(base_url=url, timeout=30, headers={"authorization": f"Bearer {secret}"})

    def post(self, body: str | bytes, **headers: str) -> httpx.Response:
        return self.client.post("/hl7/soap", content=body, headers={**XML, **headers})


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    here = open_installation(settings=Settings(data=tmp_path_factory.mktemp("soap"), request_limit=100_000, message_limit=50_000))
    inbox = Inbox(here.database, shelf())
    inbox.start()
    with here.database.writing(SYSTEM, at=clock.now()) as store:
        secret = tokens.issue_token(store, "system", "test", 2)
    with serving(create_app(here, routers=[router(inbox, 100_000, 50_000)])) as url:
        opened = Door(url, secret, here.database)
        yield opened
        opened.client.close()
    inbox.stop()
    here.close()


def envelope(inner: str, version: str = soap.SOAP_11) -> str:
    return f'<e:Envelope xmlns:e="{version}"><e:Header><t xmlns="urn:t">1</t></e:Header><e:Body>{inner}</e:Body></e:Envelope>'


def told(answer: httpx.Response, path: str) -> str:
    found = ElementTree.fromstring(answer.content).find(f".//{path}")
    assert found is not None, answer.text
    return found.text or ""


def test_a_real_client_that_starts_from_the_wsdl(door: Door) -> None:
    with requests.Session() as session:
        session.headers["authorization"] = f"Bearer {door.secret}"
        client = Client(f"{door.url}/hl7/soap?wsdl", transport=Transport(session=session))
        for number, port in enumerate(("HL7Soap", "HL7Soap12")):
            service = client.bind("HL7Service", port)
            answer = read_reply(service.HL7Message(message=adt(f"Z{number}").decode()).encode())
            assert (answer.code, answer.control_id) == ("AA", f"Z{number}")
            refused = read_reply(service.HL7Message(message=adt(f"Y{number}", "A40").decode()).encode())
            assert refused.code == "AE"
    assert {"Z0", "Z1"} <= set(stored(door.database))


def test_java_s_way_dot_net_s_way_and_base64(door: Door) -> None:
    text = adt("J1").decode().replace("&", "&amp;").replace("\r", "&#13;")
    java = door.post(envelope(f'<h:HIPMessageServer xmlns:h="urn:his"><arg0>ADT</arg0><arg1>{text}</arg1></h:HIPMessageServer>'))
    assert java.headers["content-type"] == "text/xml; charset=utf-8"
    answered = told(java, "{urn:his}HIPMessageServerResponse/return")
    assert "\r" in answered, "segments end as HL7 ends them"
    assert read_reply(answered.encode()).control_id == "J1"
    lines = adt("N1").decode().replace("&", "&amp;").replace("\r", "\n")
    net = door.post(
        envelope(f'<Send xmlns="urn:net"><input><![CDATA[{lines.replace("&amp;", "&")}]]></input></Send>', soap.SOAP_12),
        **{"content-type": "application/soap+xml"},
    )
    assert net.headers["content-type"] == "application/soap+xml; charset=utf-8"
    assert read_reply(told(net, "{urn:net}SendResult").encode()).control_id == "N1"
    packed = base64.encodebytes(adt("B1").decode().encode("gb18030")).decode()
    answer = door.post(envelope(f'<Send xmlns="urn:net"><input>{packed}</input></Send>'))
    assert read_reply(base64.b64decode(told(answer, "{urn:net}SendResult"))).control_id == "B1"
    chinese = f'<?xml version="1.0" encoding="GBK"?>{envelope(f"<Send><m>{text.replace(chr(74) + chr(49), chr(71) + chr(49))}</m></Send>")}'
    assert (
        read_reply(told(door.post(chinese.encode("gbk"), **{"content-type": "text/xml; charset=gbk"}), "return").encode()).control_id
        == "G1"
    )
    assert {"J1", "N1", "B1", "G1"} <= set(stored(door.database))


def test_what_integration_platforms_wrap_it_in(door: Door) -> None:
    """A document as a text, MLLP's frame before the packing, a byte order mark, GBK that only HTTP declares, an attachment."""

    def wrapped(number: str) -> str:
        return adt(number).decode().replace("&", "&amp;").replace("\r", "&#13;")

    inner = f'<?xml version="1.0" encoding="GBK"?><Request><Header/><HL7Message>{wrapped("W1")}</HL7Message></Request>'
    escaped = inner.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    framed = base64.b64encode(b"\x0b" + adt("W2") + b"\x1c\r").decode()
    marked = base64.b64encode(b"\xef\xbb\xbf" + adt("W3")).decode()
    parameters = {
        "W1": f"<m>{escaped}</m>", "W2": f"<m>{framed}</m>", "W3": f"<m>{marked}</m>", "W4": f"<m>\ufeff{wrapped('W4')}</m>",
        "W5": f"<m><![CDATA[{inner.replace('W1', 'W5')}]]></m>",
    }  # fmt: skip
    for number, argument in parameters.items():
        said = told(door.post(envelope(f"<Op><action>S0001</action>{argument}</Op>").encode()), "return")
        raw = base64.b64decode(said) if number in ("W2", "W3") else said.encode()
        assert (read_reply(raw).code, read_reply(raw).control_id) == ("AA", number)
    silent = door.post(envelope(f"<Op><m>{wrapped('W6')}</m></Op>").encode("gbk"), **{"content-type": "text/xml; charset=GBK"})
    assert read_reply(told(silent, "return").encode()).control_id == "W6"
    include = '<x:Include xmlns:x="http://www.w3.org/2004/08/xop/include" href="cid:hl7%40his"/>'
    root = b"Content-Type: application/xop+xml\r\nContent-ID: <root>\r\n\r\n" + envelope(f"<Op><m>{include}</m></Op>").encode()
    part = b"Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: binary\r\nContent-ID: <hl7@his>\r\n\r\n"
    body = b"--b1\r\n" + root + b"\r\n--b1\r\n" + part + adt("W7").decode().encode("gb18030") + b"\r\n--b1--\r\n"
    mtom = door.post(body, **{"content-type": 'multipart/related; boundary=b1; type="application/xop+xml"; start="<root>"'})
    assert read_reply(base64.b64decode(told(mtom, "return"))).control_id == "W7"
    assert {f"W{n}" for n in range(1, 8)} <= set(stored(door.database))


def test_a_batch_is_answered_as_a_batch(door: Door) -> None:
    inner = (b"BHS|^~\\&|A\r" + b"".join(adt(f"S{n}") for n in range(3)) + b"BTS|3\r").decode().replace("&", "&amp;")
    answer = told(door.post(envelope(f'<Send xmlns="urn:net"><input>{inner}</input></Send>')), "{urn:net}SendResult")
    assert answer.count("MSA|AA|S") == 3
    assert answer.startswith("BHS")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("MSH|^~", "no well-formed XML"),
        ("<a/>", "no SOAP 1.1 or 1.2 envelope"),
        (envelope(""), "exactly one element"),
        (envelope("<Send><m>hello</m></Send>"), "no argument"),
        (envelope("<Send><m>TVNI!!!</m></Send>"), "no argument"),
        (envelope("<Send><m>&lt;a&gt;MSH|</m></Send>"), "no argument"),
        (envelope("<Send><m>MSH|^~</m><n>TVNIfF5+</n></Send>"), "holds 2 HL7 messages"),
        (envelope('<Send><m><ADT_A01 xmlns="urn:hl7-org:v2xml"><MSH/></ADT_A01></m></Send>'), "HL7's XML encoding"),
        (envelope('<Send><m>&lt;ADT_A01 xmlns="urn:hl7-org:v2xml"&gt;&lt;/ADT_A01&gt;</m></Send>'), "HL7's XML encoding"),
        (f'<!DOCTYPE e [<!ENTITY a "x"><!ENTITY b "&a;&a;">]>{envelope("<Send><m>&b;</m></Send>")}', "no DOCTYPE"),
        (f'<!DOCTYPE e [<!ENTITY a SYSTEM "file:///etc/passwd">]>{envelope("<Send><m>&a;</m></Send>")}', "no DOCTYPE"),
    ],
)
def test_a_wrong_envelope_gets_a_fault_that_says_what_is_wrong(door: Door, body: str, said: str) -> None:
    one = door.post(body)
    assert one.status_code == 500
    assert said in told(one, "faultstring")
    two = door.post(body, **{"content-type": "application/soap+xml"})
    assert two.status_code == 400
    assert "passwd" not in two.text


def test_only_who_may_feed_is_heard_and_limits_hold(door: Door) -> None:
    assert httpx.post(f"{door.url}/hl7/soap", content=envelope("<a/>")).status_code == 401
    assert httpx.get(f"{door.url}/hl7/soap?wsdl").status_code == 401
    long = door.post(envelope(f"<Send><m>{adt('L1').decode().replace('&', '&amp;')}{'x' * 60_000}</m></Send>"))
    assert "longer than 50000 bytes" in told(long, "faultstring")
    assert "longer than 100000 bytes" in told(door.post("x" * 200_000), "faultstring")
    assert "L1" not in stored(door.database)


@given(
    st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), max_size=60),
    st.booleans(),
    st.sampled_from((soap.SOAP_11, soap.SOAP_12)),
)
def test_whatever_is_answered_can_be_read_back(text: str, packed: bool, version: str) -> None:
    reply = f"MSH|^~\\&|{text}\rMSA|AA|1\r"
    call = soap.Call(b"", version, "urn:x", "Op", packed=packed)
    back = ElementTree.fromstring(soap.answer(call, reply.encode())).find(".//{urn:x}OpResult")
    assert back is not None
    found = back.text or ""
    assert (base64.b64decode(found).decode() if packed else found) == reply


@given(st.binary(max_size=200))
def test_no_bytes_make_it_stumble(junk: bytes) -> None:
    for kind in ("", "text/xml; charset=gbk", "multipart/related; boundary=b1", "multipart/related"):
        with pytest.raises(Malformed):
            soap.read_call(junk, kind)
