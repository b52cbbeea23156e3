"""What the tables of the other ways in must be, computed by plain Python from what was sent: nothing of Cupel is used.

Usage: expected_others.py SENT_FILE CSV_FILE EXPORTS_DIRECTORY OUT_DIRECTORY
SENT_FILE is JSON: `reports` as apps published them, `deliveries` as `{id, event, body}` with the body as text. Of EXPORTS_DIRECTORY
only silver.earthquakes.ndjson is believed, which expected.py has proven, and when each delivery was received, which nobody else knows.
"""

import csv
import json
import re
import sys
from collections import defaultdict
from datetime import datetime, timezone
from pathlib import Path

from expected import js_number, rfc8785, rounded


def stamp(text):
    """RFC 3339 in the form of exports."""
    return datetime.fromisoformat(text).astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def line(row):
    """Floats as JavaScript prints them, everything else as JSON does."""
    parts = (f"{json.dumps(name)}:{js_number(value) if isinstance(value, float) else json.dumps(value, ensure_ascii=False)}" for name, value in row.items())
    return "{" + ",".join(parts) + "}\n"


def by(rows, *names):
    """Rows in groups of equal values, in order of these."""
    groups = defaultdict(list)
    for row in rows:
        groups[tuple(row[name] for name in names)].append(row)
    return sorted(groups.items(), key=lambda group: [value.encode() for value in group[0]])


def networks(path):
    with open(path, encoding="utf-8", newline="") as file:
        for record in csv.DictReader(file):
            if record["active"] not in ("true", "false"):
                continue  # the one wrong line
            updated = stamp(record["updated"])
            yield {
                "network": record["code"].lower(),
                "updated_at": updated,
                "name": record["name"],
                "operator": record["operator"] or None,
                "region": record["region"] or None,
                "stations": int(record["stations"]) if record["stations"] else None,
                "longitude": float(record["longitude"]) if record["longitude"] else None,
                "latitude": float(record["latitude"]) if record["latitude"] else None,
                "active": record["active"] == "true",
                "_first_version": updated,
            }


def gold_networks(silver, quakes):
    seen = defaultdict(list)
    for quake in quakes:
        code = quake["network"] or (re.match("[a-z]{2}", quake["event_id"]) or [None])[0]
        if code is not None:
            seen[code].append(quake["event_time"])
    known = {row["network"]: row for row in silver}
    for code in sorted(set(seen) | set(known)):
        row = known.get(code, {})
        named = {name: row.get(name) for name in ("name", "operator", "region", "stations", "active", "updated_at")}
        yield {"network": code} | named | {"earthquakes": len(seen[code]), "last_event_time": max(seen[code], default=None)}


def felt(reports):
    for report in sorted(reports, key=lambda report: report["report_id"].encode()):
        numbers = {name: None if report[name] is None else float(report[name]) for name in ("longitude", "latitude")}
        yield report | numbers | {"felt_at": stamp(report["felt_at"]), "_record_id": report["report_id"]}


def felt_by_event(reports, quakes):
    known = {quake["event_id"]: quake for quake in quakes}
    for (event_id,), members in by(reports, "event_id"):
        quake = known[event_id]
        intensities = [member["intensity"] for member in members]
        times = [member["felt_at"] for member in members]
        magnitude = quake["magnitude"]
        yield {
            "event_id": event_id,
            "event_time": quake["event_time"],
            "place": quake["place"],
            "magnitude": None if magnitude is None else float(magnitude),
            "reports": len(members),
            "max_intensity": max(intensities),
            "mean_intensity": float(rounded(sum(intensities) / len(intensities))),
            "first_felt_at": min(times),
            "last_felt_at": max(times),
        }


def github(deliveries, received):
    for delivery in sorted(deliveries, key=lambda delivery: delivery["id"].encode()):
        body = json.loads(delivery["body"])
        repository, sender = body.get("repository") or {}, body.get("sender") or {}
        yield {
            "delivery_id": delivery["id"],
            "event_type": delivery["event"],
            "received_at": received[delivery["id"]],
            "action": body.get("action"),
            "repository_id": repository.get("id"),
            "repository": repository.get("full_name"),
            "sender_id": sender.get("id"),
            "sender": sender.get("login"),
            "payload": rfc8785(body),
        }


def repo_activity(events):
    days = [event | {"day": event["received_at"][:10]} for event in events if event["repository"] is not None]
    for (day, repository), members in by(days, "day", "repository"):
        count = lambda kind, action=None: sum(
            member["event_type"] == kind and action in (None, member["action"]) for member in members
        )
        yield {
            "activity_date": day,
            "repository": repository,
            "events": len(members),
            "pushes": count("push"),
            "issues_opened": count("issues", "opened"),
            "comments": count("issue_comment", "created"),
            "stars": count("star", "created"),
            "people": len({member["sender_id"] for member in members}),
        }


def repo_events(events):
    for (repository, kind), members in by(events, "repository", "event_type"):
        last = max(member["received_at"] for member in members)
        yield {"repository": repository, "event_type": kind, "events": len(members), "last_received_at": last}


def read(path):
    return [json.loads(text) for text in path.read_text(encoding="utf-8").splitlines()]


def main():
    sent, csv_file, exports, out = map(Path, sys.argv[1:5])
    given = json.loads(sent.read_text(encoding="utf-8"))
    quakes = read(exports / "silver.earthquakes.ndjson")
    received = {row["delivery_id"]: row["received_at"] for row in read(exports / "silver.github_events_log.ndjson")}
    silver_networks, reports, events = list(networks(csv_file)), list(felt(given["reports"])), list(github(given["deliveries"], received))
    tables = {
        "silver.networks": sorted(silver_networks, key=lambda row: row["network"]),
        "silver.felt_reports": reports,
        "silver.github_events": events,
        "gold.networks": gold_networks(silver_networks, quakes),
        "gold.felt_by_event": felt_by_event(reports, quakes),
        "gold.repo_activity": repo_activity(events),
        "gold.repo_events": repo_events(events),
    }
    out.mkdir(parents=True, exist_ok=True)
    for name, rows in tables.items():
        (out / f"{name}.ndjson").write_text("".join(map(line, rows)), encoding="utf-8")


if __name__ == "__main__":
    main()
