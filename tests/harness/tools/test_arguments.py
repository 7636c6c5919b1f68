import pytest

from harness.tools._arguments import WrongArguments, schema_check

SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 1}},
    "required": ["city"],
}


def test_arguments_that_fit_a_schema_are_left_as_they_are():
    assert schema_check(SCHEMA)({"city": "Rome", "days": 2}) == {"city": "Rome", "days": 2}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({}, "arguments: 'city' is a required property"),
        ({"city": 3}, "city: 3 is not of type 'string'"),
        ({"city": "Rome", "days": 0}, "days: 0 is less than the minimum of 1"),
        ({"days": 0}, "; "),
    ],
)
def test_what_does_not_fit_is_named(arguments, says):
    with pytest.raises(WrongArguments) as wrong:
        schema_check(SCHEMA)(arguments)
    assert says in str(wrong.value)


def test_what_is_no_schema_is_refused():
    with pytest.raises(WrongArguments, match="no JSON Schema"):
        schema_check({"type": "purple"})


def test_a_schema_that_refers_elsewhere_fetches_nothing():
    check = schema_check({"$ref": "http://127.0.0.1:9/schema.json"})
    with pytest.raises(WrongArguments, match="refers to"):
        check({})


def test_a_long_list_of_problems_is_cut():
    check = schema_check({"type": "object", "required": [f"field_{n}" for n in range(30)]})
    with pytest.raises(WrongArguments, match="and 22 more"):
        check({})
