#!/usr/bin/env python3
"""Commits the orders of a Redis stream. An order is an entry with its fields:
XADD bonus '*' card_id ... code ... out_trade_no ... mchid ... sub_mchid ... bonus_value 30
    redis_consumer.py URL NAME [IDLE_MILLISECONDS]    NAME: another one for each consumer"""
import json
import subprocess
import sys
import threading

import redis

url, name, idle = sys.argv[1], sys.argv[2], int((sys.argv[3:] or [60000])[0])
store = redis.Redis.from_url(url, decode_responses=True, encoding_errors="replace")
tool = subprocess.Popen(["wechatpay-bonus-commit", "pipe"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
sent = set()  # entries without an answer yet


def line_of(key, entry):
    order = {field: text for field, text in entry.items() if field != "id"}
    points = order.get("bonus_value", "")
    if points.isascii() and points.isdecimal() and len(points) < 19:
        order["bonus_value"] = int(points)
    return json.dumps({"id": key, **order}) + "\n"  # `id` first: readable even if the rest is not


def acknowledge():
    try:
        for line in tool.stdout:
            answer = json.loads(line)
            if answer["result"] == "dead":
                store.xadd("bonus-dead", {"id": answer["id"], "error": json.dumps(answer["error"])})
            if answer["result"] != "later":  # an unacknowledged entry is claimed again after its idle time
                store.xack("bonus", "committers", answer["id"])
            sent.discard(answer["id"])
    finally:
        tool.terminate()  # no entry can be acknowledged without this thread: end, so that it is restarted


threading.Thread(target=acknowledge, daemon=True).start()
try:
    store.xgroup_create("bonus", "committers", id="0", mkstream=True)
except redis.ResponseError:
    pass  # the group exists already
while tool.poll() is None:
    entries = store.xautoclaim("bonus", "committers", name, idle, count=64)[1]
    entries += [e for _, new in store.xreadgroup("committers", name, {"bonus": ">"}, 64, 200) for e in new]
    for key, entry in entries:
        if key not in sent:
            sent.add(key)
            tool.stdin.write(line_of(key, entry))
    tool.stdin.flush()
sys.exit(tool.returncode)
