"""Deliveries of webhooks, made from the documentation of their senders, and signed as each signs."""

from __future__ import annotations

import hmac
import json
from base64 import b64encode
from typing import Any

SECRET = "it-is-a-long-secret"
NOW = 1_763_790_000.0

GITHUB: dict[str, Any] = {
    "action": "completed",
    "workflow_run": {
        "id": 30433642,
        "name": "Build",
        "head_branch": "main",
        "run_number": 562,
        "event": "push",
        "status": "completed",
        "conclusion": "failure",
        "html_url": "https://github.example/octo/shop/actions/runs/30433642",
    },
    "repository": {"id": 1296269, "name": "shop", "full_name": "octo/shop", "private": False},
    "sender": {"login": "octocat"},
}
GITHUB_PING = {"zen": "Keep it logically awesome.", "hook_id": 1, "hook": {"type": "Repository"}}
GITLAB = {
    "object_kind": "pipeline",
    "object_attributes": {"id": 31, "ref": "main", "status": "success", "duration": 63},
    "project": {"id": 1, "name": "Shop", "path_with_namespace": "octo/shop"},
}


def alert(status: str, name: str, instance: str) -> dict[str, Any]:
    return {
        "status": status,
        "labels": {"alertname": name, "instance": instance, "severity": "critical"},
        "annotations": {"summary": f"{instance} has {name}"},
        "startsAt": "2026-11-22T05:40:00.000Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus.example/graph",
        "fingerprint": "c1e4ca2b5d7ad5d8",
    }


def alertmanager(*alerts: dict[str, Any]) -> dict[str, Any]:
    firing = any(each["status"] == "firing" for each in alerts)
    return {
        "version": "4",
        "groupKey": '{}:{alertname="HighLoad"}',
        "truncatedAlerts": 0,
        "status": "firing" if firing else "resolved",
        "receiver": "wall",
        "groupLabels": {"alertname": "HighLoad"},
        "commonLabels": {"alertname": "HighLoad", "severity": "critical"},
        "commonAnnotations": {},
        "externalURL": "http://alertmanager.example",
        "alerts": list(alerts),
    }


GRAFANA = {
    **alertmanager(alert("firing", "HighLoad", "web-1")),
    "orgId": 1,
    "title": "[FIRING:1] HighLoad",
    "state": "alerting",
    "message": "**Firing**",
}
STRIPE: dict[str, Any] = {
    "id": "evt_1NG8Du2eZvKYlo2CUI79vXWy",
    "object": "event",
    "created": 1763790000,
    "type": "payment_intent.succeeded",
    "data": {
        "object": {"id": "pi_1", "object": "payment_intent", "amount": 2000, "currency": "eur"}
    },
}
KUMA = {
    "heartbeat": {"monitorID": 1, "status": 0, "time": "2026-11-22 05:40:00", "msg": "timeout"},
    "monitor": {"id": 1, "name": "Shop page", "url": "https://shop.example"},
    "msg": "[Shop page] [Down] timeout",
}
KUMA_TEST = {"heartbeat": None, "monitor": None, "msg": "My alert Testing"}


def body_of(document: Any) -> bytes:
    return json.dumps(document).encode()


def digest(secret: str | bytes, signed: bytes) -> bytes:
    return hmac.digest(secret if isinstance(secret, bytes) else secret.encode(), signed, "sha256")


def github(body: bytes, secret: str = SECRET, **more: str) -> dict[str, str]:
    return {
        "Content-Type": "application/json",
        "X-GitHub-Event": "workflow_run",
        "X-GitHub-Delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958",
        "X-Hub-Signature-256": f"sha256={digest(secret, body).hex()}",
        **more,
    }


def grafana(body: bytes, secret: str = SECRET, time: float | None = None) -> dict[str, str]:
    stamp = "" if time is None else f"{time:.0f}"
    signed = body if time is None else f"{stamp}:".encode() + body
    headers = {"X-Grafana-Alerting-Signature": digest(secret, signed).hex()}
    return headers | ({"X-Grafana-Alerting-Signature-Timestamp": stamp} if stamp else {})


def stripe(body: bytes, secret: str = SECRET, time: float = NOW) -> dict[str, str]:
    signature = digest(secret, f"{time:.0f}.".encode() + body).hex()
    old = digest("the-former-secret", f"{time:.0f}.".encode() + body).hex()
    return {"Stripe-Signature": f"t={time:.0f},v1={old},v1={signature},v0=none"}


def standard(
    body: bytes, secret: str | bytes = SECRET, time: float = NOW, id: str = "msg_1"
) -> dict[str, str]:
    made = digest(secret, f"{id}.{time:.0f}.".encode() + body)
    return {
        "webhook-id": id,
        "webhook-timestamp": f"{time:.0f}",
        "webhook-signature": f"v1a,other v1,{b64encode(made).decode()}",
    }
