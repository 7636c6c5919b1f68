import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from pydantic import SecretStr
from schemathesis.specs.openapi.checks import (
    negative_data_rejection,
    positive_data_acceptance,
)

from harness.app import create_api
from harness.settings import Settings

EXAMPLES = 12
DOCUMENTED = create_api(Settings(clerk_jwt_key=SecretStr("only described here"))).openapi()

schema = schemathesis.openapi.from_dict(DOCUMENTED)


@pytest.fixture
def generous_api(serve, api_settings):
    """An API that limits nobody."""
    return serve(create_api(api_settings.model_copy(update={"rate_limit": "100000/minute"})))


@schema.parametrize()
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
def test_the_api_answers_as_it_is_documented(case, generous_api, mint, user_id):
    case.call_and_validate(
        base_url=generous_api.url,
        headers={"Authorization": f"Bearer {mint(user_id)}"},
        # No schema can say that a text of control characters alone is empty, and a query parameter
        # that is sent twice is no error here.
        excluded_checks=[positive_data_acceptance, negative_data_rejection],
    )


def test_every_route_of_ours_documents_its_errors():
    for path, methods in DOCUMENTED["paths"].items():
        if not path.startswith("/api/"):
            continue
        for method, operation in methods.items():
            assert {"401", "500", "503"} <= set(operation["responses"]), (method, path)
            assert operation["security"], (method, path)
            refusals = {s: r for s, r in operation["responses"].items() if s >= "400"}
            for status, response in refusals.items():
                body = response["content"]["application/json"]["schema"]["$ref"]
                assert body.endswith("/ErrorBody"), (method, path, status)
