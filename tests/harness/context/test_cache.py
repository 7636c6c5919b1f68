from harness.context.cache import ExpiringCache
from harness.telemetry.metrics import CACHE_LOOKUPS


def test_a_value_is_found_until_it_is_dropped():
    cache = ExpiringCache[str, int](10, 60)
    cache.put("a", 1)
    assert cache.get("a") == 1
    cache.drop("a")
    assert cache.get("a") is None


def test_the_value_used_longest_ago_goes_first():
    cache = ExpiringCache[str, int](2, 60)
    for key in ("a", "b"):
        cache.put(key, 1)
    cache.get("a")
    cache.put("c", 1)
    assert cache.get("b") is None
    assert cache.get("a") == 1


def test_a_value_expires():
    cache = ExpiringCache[str, int](10, ttl_s=-1)
    cache.put("a", 1)
    assert cache.get("a") is None


def test_a_missing_value_is_made_once():
    cache = ExpiringCache[str, list[int]](10, 60)
    first = cache.get_or_put("a", list)
    assert cache.get_or_put("a", list) is first


def test_hits_and_misses_are_counted():
    cache = ExpiringCache[str, int](10, 60)
    cache.get("a")
    cache.put("a", 1)
    cache.get("a")
    assert (cache.hits, cache.misses) == (1, 1)


def test_a_cache_with_a_name_is_in_the_metrics():
    cache = ExpiringCache[str, int](10, 60, "of a test")
    cache.get_or_put("a", lambda: 1)
    cache.get("a")
    found = [CACHE_LOOKUPS.labels("of a test", outcome)._value.get() for outcome in ("hit", "miss")]
    assert found == [1, 1]
