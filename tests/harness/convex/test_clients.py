import math

import pytest
from convex import ConvexError, ConvexInt64


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        1.5,
        7.0,
        -0.0,
        1e300,
        float("inf"),
        ConvexInt64(2**60),
        ConvexInt64(-(2**63)),
        b"\x00\xff",
        "text with \u0000, \u00fc and \U0001f600",
        [],
        [1.0, {"a": None}],
        {"nested": {"k": [b"", "", {}]}},
    ],
    ids=repr,
)
def test_a_value_comes_back_as_it_was_sent(client, value):
    assert repr(client.query("values:echo", {"value": value})) == repr(value)


def test_not_a_number_comes_back(client):
    assert math.isnan(client.query("values:echo", {"value": float("nan")}))


def test_an_int_is_a_float_in_convex(client):
    assert client.query("values:echo", {"value": 3}) == 3.0


def test_a_mutation_answers_its_value(client, room):
    note = {"room": room, "rank": 1, "text": "a"}
    assert len(client.mutation("notes:add", note)) == 32


def test_an_action_answers_its_value(client, room):
    assert client.action("jobs:sum", {"room": room}) == 42.0


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        ("query", "errors:inQuery"),
        ("mutation", "errors:inMutation"),
        ("action", "errors:inAction"),
        ("action", "errors:throughAction"),
    ],
)
def test_a_convex_error_carries_its_data(client, kind, path):
    with pytest.raises(ConvexError) as raised:
        getattr(client, kind)(path, {"kind": "convex"})
    assert raised.value.data == {"code": "BAD", "count": 7.0}


@pytest.mark.parametrize("kind", ["query", "mutation", "action"])
def test_another_error_is_no_convex_error(client, kind):
    with pytest.raises(Exception, match="plain failure") as raised:
        getattr(client, kind)(f"errors:in{kind.capitalize()}", {"kind": "plain"})
    assert not isinstance(raised.value, ConvexError)


def test_a_client_goes_on_after_a_failed_mutation(client):
    with pytest.raises(ConvexError):
        client.mutation("errors:inMutation", {"kind": "convex"})
    assert "must not stay" not in client.query("errors:rooms")


def test_wrong_arguments_are_named(client):
    with pytest.raises(Exception, match="ArgumentValidationError: Object is missing the required"):
        client.query("notes:inRoom", {})


def test_an_internal_function_is_not_found(client):
    with pytest.raises(Exception, match="Could not find public function for 'people:secret'"):
        client.query("people:secret")


def test_the_admin_key_reaches_an_internal_function(client, engine):
    client.set_admin_auth(engine.admin_key)
    assert client.query("people:secret") == "for the admin key only"


def test_a_token_names_its_user(client, mint):
    assert client.query("people:whoami") is None
    client.set_auth(mint("user_ann"))
    assert client.query("people:whoami")["subject"] == "user_ann"
    client.clear_auth()


def test_pages_hold_every_document_once(client, room):
    client.mutation("notes:addMany", {"room": room, "from": 0, "count": 25})
    ranks: list[float] = []
    cursor, done = None, False
    while not done:
        options = {"numItems": 10, "cursor": cursor}
        page = client.query("notes:pages", {"room": room, "paginationOpts": options})
        ranks += [note["rank"] for note in page["page"]]
        cursor, done = page["continueCursor"], page["isDone"]
    assert ranks == [float(rank) for rank in reversed(range(25))]
