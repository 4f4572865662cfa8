"""The tests mirror the modules: tests/<package>/test_x.py is about streamd/<package>/x.py."""

from __future__ import annotations

from pathlib import Path

from tests.support.daemon import CHECKOUT

# Modules without a test file of their name, and the file in tests/ that is about what they promise.
# Some are half of a thing whose other half calls them; the others are tested by a contract suite, or
# through the port, because their promise is one about bytes and connections.
ELSEWHERE = {
    "app/cli/backfill_sample.py": "app/cli/test_check.py",
    "app/cli/probe.py": "app/cli/test_examination.py",
    "app/cli/revoke.py": "app/cli/test_screens.py",
    "app/rules.py": "http/access/test_rights.py",
    "http/head.py": "http/test_short_posts.py",
    "cluster/shift.py": "cluster/test_nodes.py",
    "core/histories/blocks.py": "core/histories/test_long_history.py",
    "core/cursor.py": "core/test_catchup.py",
    "core/formulas/evaluation.py": "core/formulas/test_formula.py",
    "core/formulas/formula_reader.py": "core/formulas/test_formula.py",
    "core/histories/gaps.py": "core/histories/test_restoring.py",
    "core/health/ownership.py": "core/health/test_readings.py",
    "core/retention.py": "core/test_state.py",
    "core/histories/saving.py": "core/histories/test_restoring.py",
    "core/health/source_health.py": "core/health/test_readings.py",
    "core/stream.py": "core/test_state.py",
    "core/streams.py": "core/test_state.py",
    "http/bodies.py": "http/test_site.py",
    "http/channel.py": "http/test_site.py",
    "http/viewers/conversation.py": "http/viewers/test_socketio.py",
    "http/request_log.py": "app/test_log.py",
    "http/access/local_program.py": "http/access/test_access.py",
    "http/exchange.py": "http/test_site.py",
    "http/access/origins.py": "http/access/test_access.py",
    "http/access/principal.py": "http/access/test_access.py",
    "http/access/private_answers.py": "http/access/test_rights.py",
    "http/access/rules.py": "http/access/test_rights.py",
    "http/viewers/socketio_poll.py": "http/viewers/test_socketio.py",
    "http/viewers/socketio_viewer.py": "http/viewers/test_socketio.py",
    "http/access/tokens.py": "http/access/test_credentials.py",
    "hub/audience.py": "hub/test_hub.py",
    "hub/link.py": "http/viewers/test_websocket.py",
    "journals/append_counts.py": "journals/test_queue.py",
    "journals/log_state.py": "journals/test_journal.py",
    "journals/file_format.py": "journals/test_log_file.py",
    "journals/local.py": "journals/test_journal.py",
    "journals/memory.py": "journals/test_journal.py",
    "journals/queued_journal.py": "journals/test_journal.py",
    "journals/redis_requests.py": "journals/test_redis.py",
    "journals/redis_session.py": "journals/test_redis.py",
    "sources/brokers/amqp_client.py": "sources/test_amqp.py",
    "sources/brokers/amqp_login.py": "sources/test_amqp.py",
    "sources/brokers/broker_url.py": "sources/test_mqtt.py",
    "sources/complaints.py": "sources/test_feed.py",
    "sources/databases/drivers.py": "sources/databases/test_queries.py",
    "sources/backfills/backfill_log.py": "sources/backfills/test_backfill.py",
    "sources/backfills/windows.py": "sources/backfills/test_backfill.py",
    "sources/databases/past_query.py": "sources/backfills/test_backfill.py",
    "sources/files/matching_process.py": "sources/files/test_matching.py",
    "sources/web/http_get.py": "sources/test_http.py",
    "sources/brokers/kafka_client.py": "sources/test_kafka.py",
    "sources/brokers/mqtt_client.py": "sources/test_mqtt.py",
    "sources/prometheus/client.py": "sources/test_promql.py",
    "sources/records.py": "sources/test_feed.py",
    "sources/web/web_socket_client.py": "sources/test_web_socket.py",
    "sources/source.py": "sources/test_live.py",
    "wire/poll.py": "http/viewers/test_poll.py",
}


def untested(package: Path, tests: Path) -> set[str]:
    """The modules of a package, as paths below it, that have no test file of their name."""
    modules = (file.relative_to(package) for file in package.rglob("*.py"))
    return {
        module.as_posix()
        for module in modules
        if module.name != "__init__.py"
        and not (tests / module.with_name(f"test_{module.name}")).exists()
    }


def test_every_module_has_its_test_file() -> None:
    found = untested(CHECKOUT / "streamd", CHECKOUT / "tests")
    assert found - ELSEWHERE.keys() == set(), "write a test file, or name one in ELSEWHERE"


def test_every_exception_is_one_and_has_its_tests() -> None:
    for module, tests in ELSEWHERE.items():
        assert (CHECKOUT / "streamd" / module).exists(), module
        assert (CHECKOUT / "tests" / tests).exists(), tests


def test_a_module_without_a_test_file_is_named(tmp_path: Path) -> None:
    for name in ("streamd/hub/__init__.py", "streamd/hub/pace.py", "streamd/hub/link.py"):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    (tmp_path / "tests" / "hub").mkdir(parents=True)
    (tmp_path / "tests" / "hub" / "test_pace.py").touch()
    assert untested(tmp_path / "streamd", tmp_path / "tests") == {"hub/link.py"}
