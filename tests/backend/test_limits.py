from attestation.limits import MAX_CLIENTS, RateLimit, client_key


def test_burst_then_steady_rate() -> None:
    now = [0.0]
    limit = RateLimit(6, now=lambda: now[0])
    assert [limit.take("a") for _ in range(6)] == [0] * 6
    assert limit.take("a") == 10  # one token every ten seconds
    now[0] = 9.0
    assert limit.take("a") == 1
    now[0] = 10.0
    assert limit.take("a") == 0
    assert limit.take("a") == 10


def test_refusals_cost_nothing() -> None:
    now = [0.0]
    limit = RateLimit(60, now=lambda: now[0])
    for _ in range(60):
        limit.take("a")
    for _ in range(1000):
        assert limit.take("a") == 1
    now[0] = 1.0
    assert limit.take("a") == 0


def test_clients_do_not_share() -> None:
    limit = RateLimit(1, now=lambda: 0.0)
    assert limit.take("a") == 0
    assert limit.take("b") == 0
    assert limit.take("a") > 0


def test_memory_is_bounded() -> None:
    limit = RateLimit(1, now=lambda: 0.0)
    for i in range(MAX_CLIENTS + 10):
        limit.take(str(i))
    assert len(limit._buckets) == MAX_CLIENTS


def test_one_ipv6_network_is_one_client() -> None:
    assert client_key("2001:db8::1") == client_key("2001:db8::2") == "2001:db8::/64"
    assert client_key("2001:db8:0:1::1") != client_key("2001:db8::1")
    assert client_key("::ffff:192.0.2.1") == client_key("192.0.2.1") == "192.0.2.1"
    assert client_key("unknown") == "unknown"
