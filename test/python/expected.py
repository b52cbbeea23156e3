"""What Silver and Gold must be, computed from the raw polls by plain Python: nothing of Cupel is used.

Usage: expected.py POLLS_DIRECTORY OUT_DIRECTORY [FROM_MS TO_MS]
Writes silver.earthquakes.ndjson, gold.daily_seismicity.ndjson and gold.revision_latency.ndjson in the form of exports.
"""

import gzip
import hashlib
import json
import math
import sys
from collections import defaultdict
from datetime import datetime, timedelta, timezone
from pathlib import Path

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def js_number(value):
    """A number as JavaScript prints it."""
    if value is None:
        return "null"
    if isinstance(value, int) and abs(value) < 10**21:
        return str(value)
    value = float(value)
    if value == 0:
        return "0"
    if value == int(value) and abs(value) < 1e21:
        return str(int(value))
    digits, exponent = f"{value!r}".partition("e")[0::2]
    power = int(exponent or 0)
    if not exponent or -7 < power < 21:
        text = f"{value!r}" if not exponent else f"{value:.{max(0, len(digits.replace('.', '').lstrip('-')) - 1 - power)}f}"
        return text
    return f"{digits}e{'+' if power > 0 else '-'}{abs(power)}"


def rfc8785(value):
    """The canonical form of RFC 8785; keys sort by UTF-16 code units."""
    if isinstance(value, dict):
        keys = sorted(value, key=lambda key: key.encode("utf-16-be"))
        return "{" + ",".join(f"{json.dumps(key, ensure_ascii=False)}:{rfc8785(value[key])}" for key in keys) + "}"
    if isinstance(value, list):
        return "[" + ",".join(rfc8785(item) for item in value) + "]"
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    return js_number(value)


def stamp(ms):
    return (EPOCH + timedelta(milliseconds=ms)).strftime("%Y-%m-%dT%H:%M:%S.%fZ") if ms is not None else None


def event_id(feature):
    given = feature.get("id")
    if given is not None:
        return given
    return feature["properties"]["url"].split("?")[0].split("#")[0].rstrip("/").rsplit("/", 1)[1]


def row(feature):
    """Column and value, in the contract's order."""
    p = feature["properties"]
    coordinates = (feature.get("geometry") or {}).get("coordinates") or []
    at = lambda index: coordinates[index] if index < len(coordinates) else None
    status = p.get("status")
    tsunami = p.get("tsunami")
    return {
        "event_id": event_id(feature),
        "event_time": p["time"],
        "updated_at": p["updated"],
        "magnitude": p.get("mag"),
        "magnitude_type": p.get("magType"),
        "place": p.get("place"),
        "longitude": at(0),
        "latitude": at(1),
        "depth_km": at(2),
        "event_type": p.get("type"),
        "status": status.lower() if status is not None else None,
        "network": p.get("net"),
        "significance": p.get("sig"),
        "felt_reports": p.get("felt"),
        "tsunami": bool(tsunami) if tsunami is not None else None,
        "title": p.get("title"),
        "url": p.get("url"),
    }


def winners(polls):
    """The greatest (updated, generated, hash) of each event, and the least `updated` ever seen."""
    best, first = {}, {}
    for poll in polls:
        generated = poll["metadata"]["generated"]
        for feature in poll["features"]:
            key, updated = event_id(feature), feature["properties"]["updated"]
            first[key] = min(updated, first.get(key, updated))
            held = best.get(key)
            if held is None or (updated, generated) > held[0]:
                best[key] = ((updated, generated), feature, None)
            elif (updated, generated) == held[0]:
                digest = hashlib.sha256(rfc8785(feature).encode()).hexdigest()
                other = held[2] or hashlib.sha256(rfc8785(held[1]).encode()).hexdigest()
                best[key] = (held[0], feature, digest) if digest > other else (held[0], held[1], other)
    return {key: row(best[key][1]) | {"_first_version": first[key]} for key in best}


TIMES = ("event_time", "updated_at", "_first_version")
DOUBLES = ("magnitude", "longitude", "latitude", "depth_km")


def silver_line(values):
    def text(name, value):
        if name in TIMES:
            return json.dumps(stamp(value))
        if name in DOUBLES:
            return js_number(float(value) if value is not None else None)
        return json.dumps(value, ensure_ascii=False)

    return "{" + ",".join(f'"{name}":{text(name, value)}' for name, value in values.items()) + "}\n"


def rounded(value):
    """Half away from zero at six digits, as BigQuery's ROUND of a FLOAT64."""
    if value is None:
        return None
    scaled = value * 1e6
    return math.copysign(math.floor(abs(scaled) + 0.5), scaled) / 1e6


def gold(rows):
    days = defaultdict(list)
    for values in rows:
        days[stamp(values["event_time"])[:10]].append(values)
    seismicity, latency = [], []
    for day in sorted(days):
        members = days[day]
        magnitudes = [m["magnitude"] for m in members if m["magnitude"] is not None]
        depths = [float(m["depth_km"]) for m in members if m["depth_km"] is not None]
        greatest = js_number(float(max(magnitudes)) if magnitudes else None)
        mean = js_number(rounded(math.fsum(depths) / len(depths)) if depths else None)
        seismicity.append(f'{{"event_date":"{day}","events":{len(members)},"max_magnitude":{greatest},"mean_depth_km":{mean}}}\n')
        minutes = sorted((m["updated_at"] - m["event_time"]) * 1000 / 60e6 for m in members)
        revised = sum(m["_first_version"] < m["updated_at"] for m in members)
        p50, p95 = (js_number(rounded(minutes[(len(minutes) * p + 99) // 100 - 1])) for p in (50, 95))
        latency.append(f'{{"event_date":"{day}","events":{len(members)},"revised_events":{revised},"p50_minutes":{p50},"p95_minutes":{p95}}}\n')
    return seismicity, latency


def main():
    polls_directory, out = Path(sys.argv[1]), Path(sys.argv[2])
    low, high = (int(sys.argv[3]), int(sys.argv[4])) if len(sys.argv) > 4 else (-math.inf, math.inf)
    files = sorted(polls_directory.rglob("*.geojson.gz"))
    polls = [json.loads(gzip.decompress(file.read_bytes())) for file in files]
    polls = [poll for poll in polls if low <= poll["metadata"]["generated"] < high]
    rows = winners(polls)
    out.mkdir(parents=True, exist_ok=True)
    ordered = [rows[key] for key in sorted(rows, key=lambda key: key.encode())]
    (out / "silver.earthquakes.ndjson").write_text("".join(map(silver_line, ordered)), encoding="utf-8")
    seismicity, latency = gold(ordered)
    (out / "gold.daily_seismicity.ndjson").write_text("".join(seismicity), encoding="utf-8")
    (out / "gold.revision_latency.ndjson").write_text("".join(latency), encoding="utf-8")


if __name__ == "__main__":
    main()
