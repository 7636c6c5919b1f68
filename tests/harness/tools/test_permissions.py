from hypothesis import given
from hypothesis import strategies as st

from harness.models import Effect
from harness.tools.permissions import Rules, preference_key
from harness.tools.registry import ToolSpec

PERMISSIONS = st.sampled_from(["auto", "ask", "never"])
WORDS = PERMISSIONS | st.sampled_from(["AUTO", "yes", "", "never "])
PREFERENCES = st.dictionaries(
    st.sampled_from(["tool.send", "tool.other", "send", "name", "tool.send.", "TOOL.SEND"]), WORDS
)
THREADS = st.dictionaries(st.sampled_from(["send", "other", "tool.send", "Send"]), WORDS)
RULES = st.builds(Rules, PREFERENCES, THREADS)


def _spec(permission, name="send"):
    return ToolSpec(
        name=name, description="", parameters={}, effect=Effect.EXTERNAL, permission=permission
    )


@given(RULES)
def test_what_the_deployment_forbids_stays_forbidden(rules):
    assert rules.permission(_spec("never")) == "never"


@given(PERMISSIONS, RULES)
def test_only_a_real_permission_comes_out(permission, rules):
    assert rules.permission(_spec(permission)) in ("auto", "ask", "never")


@given(st.sampled_from(["auto", "ask"]), PERMISSIONS, RULES)
def test_the_threads_word_counts_over_the_users_and_the_registrys(permission, chosen, rules):
    rules = Rules(rules.preferences, {**rules.thread, "send": chosen})
    assert rules.permission(_spec(permission)) == chosen


@given(st.sampled_from(["auto", "ask"]), PERMISSIONS, PREFERENCES)
def test_the_users_word_counts_where_the_thread_says_nothing(permission, chosen, preferences):
    rules = Rules({**preferences, preference_key("send"): chosen}, {"other": "never"})
    assert rules.permission(_spec(permission)) == chosen


@given(PERMISSIONS, RULES)
def test_only_words_about_the_tool_itself_count(permission, rules):
    said = {rules.thread.get("send"), rules.preferences.get("tool.send")}
    if not said & {"auto", "ask", "never"}:
        assert rules.permission(_spec(permission)) == permission


@given(PERMISSIONS, RULES, st.text(min_size=1))
def test_a_tools_name_reaches_no_other_tools_words(permission, rules, name):
    if name not in ("send", "other") and preference_key(name) not in rules.preferences:
        expected = rules.thread.get(name) if name in rules.thread else None
        if expected not in ("auto", "ask", "never"):
            assert rules.permission(_spec(permission, name)) == permission
