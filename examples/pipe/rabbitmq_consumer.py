#!/usr/bin/env python3
"""Commits the orders of a RabbitMQ queue. A message is an order as an object of JSON.
    rabbitmq_consumer.py URL QUEUE    a message that is rejected goes where the queue's x-dead-letter-exchange says"""
import json
import subprocess
import sys
import threading

import pika

connection = pika.BlockingConnection(pika.URLParameters(sys.argv[1]))
channel = connection.channel()
tool = subprocess.Popen(["wechatpay-bonus-commit", "pipe"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def settle(answer):
    tag = answer["id"]
    if answer["result"] == "credited":
        channel.basic_ack(tag)
    elif answer["result"] == "dead":
        channel.basic_reject(tag, requeue=False)
    else:
        connection.call_later(answer["pause_seconds"], lambda: channel.basic_nack(tag, requeue=True))


def read_answers():
    for line in tool.stdout:
        connection.add_callback_threadsafe(lambda answer=json.loads(line): settle(answer))
    connection.add_callback_threadsafe(channel.stop_consuming)


def commit(_channel, delivery, _properties, body):
    try:
        order = {**json.loads(body), "id": delivery.delivery_tag}
    except (ValueError, TypeError):
        order = {"id": delivery.delivery_tag, "not_an_object": True}
    print(json.dumps(order), file=tool.stdin, flush=True)


threading.Thread(target=read_answers, daemon=True).start()
channel.basic_qos(prefetch_count=64)
channel.basic_consume(sys.argv[2], commit)
channel.start_consuming()
sys.exit(tool.wait())
