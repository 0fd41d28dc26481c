"""五必到 on its page: listed page by page, and whoever notes a visit stays where they were."""

import re
from datetime import timedelta

import httpx
from conftest import Site
from test_web_pages import csrf, sign_in

from healthsvc import clock
from healthsvc.healthfile.rules import Category, Person
from healthsvc.healthfile.service import register, today
from healthsvc.mustvisit.resources import task_id, to_task
from healthsvc.mustvisit.rules import Due, Occasion
from healthsvc.store import SYSTEM

MANY = 130
ROW = re.compile(r'action="/mustvisits/([^"]+)"')


def listed(site: Site) -> list[str]:
    """More must-visits than one page holds; the ids, in the order in which they are owed."""
    with site.database.writing(SYSTEM, at=clock.now()) as store:
        on = today(store)
        patient = str(register(store, Person("节庆多", category=Category.LIXIU), "urn:test").patient["id"])
        found = [
            Due(patient, Occasion.FESTIVAL, f"feast-{n}", on, on + timedelta(days=n), "family", title=f"第 {n} 个节日") for n in range(MANY)
        ]
        for one in found:
            store.put(to_task(one, None, store.at, store.zone))
    return [task_id(one) for one in found]


def test_the_list_is_turned_page_by_page_and_one_comes_back_to_the_page_one_left(client: httpx.Client, site: Site) -> None:
    ours = listed(site)
    sign_in(client, "coordinator1")
    path, seen = "/mustvisits?occasion=festival", list[str]()
    for _ in range(20):
        answer = client.get(path)
        assert answer.status_code == 200
        rows = ROW.findall(answer.text)
        assert 0 < len(rows) <= 60
        seen += rows
        following = re.search(r'href="([^"]+)">下一页', answer.text)
        if following is None:
            break
        path = following[1].replace("&amp;", "&")
    assert [one for one in seen if one in ours] == ours, "each stands on one page, the most pressing first"
    assert len(set(seen)) == len(seen)
    assert "上一页" in answer.text
    beyond = client.get("/mustvisits?occasion=festival&start=999999").text
    assert ROW.findall(beyond) == rows, "behind the end stands the last page"

    last, token = ours[-1], csrf(client)
    place = re.search(r'name="start" value="(\d+)"', answer.text)
    assert place is not None
    given = {"csrf": token, "occasion": "festival", "start": place[1]}
    refused = client.post(f"/mustvisits/{last}", data=given | {"by": " ", "mode": "phone", "note": "电话问候,家属接"})
    assert refused.status_code == 422
    assert last in ROW.findall(refused.text)
    assert re.search(r"<details[^>]* open>", refused.text), "the form stays open"
    assert "电话问候,家属接" in refused.text, "with what was typed"
    came = client.post(f"/mustvisits/{last}", data=given | {"by": "社工小何", "mode": "phone"})
    assert came.headers["location"] == f"/mustvisits?occasion=festival&start={place[1]}"
    assert last not in ROW.findall(client.get(came.headers["location"]).text)
