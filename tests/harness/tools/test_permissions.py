from hypothesis import given
from hypothesis import strategies as st

from harness.models import Effect
from harness.tools.permissions import permission_of, preference_key
from harness.tools.registry import ToolSpec

PERMISSIONS = st.sampled_from(["auto", "ask", "never"])
PREFERENCES = st.dictionaries(
    st.sampled_from(["tool.send", "tool.other", "send", "name"]),
    PERMISSIONS | st.sampled_from(["AUTO", "yes", ""]),
)


def _spec(permission):
    return ToolSpec(
        name="send", description="", parameters={}, effect=Effect.EXTERNAL, permission=permission
    )


@given(PREFERENCES)
def test_what_is_forbidden_stays_forbidden(preferences):
    assert permission_of(_spec("never"), preferences) == "never"


@given(st.sampled_from(["auto", "ask"]), PERMISSIONS, PREFERENCES)
def test_a_users_choice_counts(permission, chosen, preferences):
    preferences = preferences | {preference_key("send"): chosen}
    assert permission_of(_spec(permission), preferences) == chosen


@given(PERMISSIONS, PREFERENCES)
def test_only_the_tools_own_preference_and_a_real_permission_count(permission, preferences):
    if preferences.get("tool.send") not in ("auto", "ask", "never"):
        assert permission_of(_spec(permission), preferences) == permission
