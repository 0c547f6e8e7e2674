#!/usr/bin/env python3
"""Commits the orders of a RabbitMQ queue. A message is an order as an object of JSON.
    rabbitmq_consumer.py URL QUEUE    a message that is rejected goes where the queue's x-dead-letter-exchange says"""
import json
import subprocess
import sys
import threading

import pika

queue = sys.argv[2]
connection = pika.BlockingConnection(pika.URLParameters(sys.argv[1]))
channel = connection.channel()
tool = subprocess.Popen(["wechatpay-bonus-commit", "pipe"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
bodies = {}  # messages without an answer yet, by delivery tag


def settle(answer):
    tag = answer["id"]
    body = bodies.pop(tag)
    if answer["result"] == "dead":
        channel.basic_reject(tag, requeue=False)
        return
    if answer["result"] == "later":  # waits in a separate queue, where it blocks no other message, and returns
        pause = pika.BasicProperties(delivery_mode=2, expiration=str(1000 * answer["pause_seconds"]))
        channel.basic_publish("", queue + ".later", body, pause)
    channel.basic_ack(tag)


def read_answers():
    try:
        for line in tool.stdout:
            connection.add_callback_threadsafe(lambda answer=json.loads(line): settle(answer))
    finally:
        connection.add_callback_threadsafe(channel.stop_consuming)


def commit(_channel, delivery, _properties, body):
    tag = delivery.delivery_tag
    bodies[tag] = body
    try:
        order = {field: value for field, value in json.loads(body).items() if field != "id"}
    except (AttributeError, ValueError, RecursionError):
        order = {"no": "order"}
    print(json.dumps({"id": tag, **order}), file=tool.stdin, flush=True)  # `id` first: readable even if the rest is not


channel.confirm_delivery()
channel.queue_declare(queue + ".later", durable=True,
                      arguments={"x-dead-letter-exchange": "", "x-dead-letter-routing-key": queue})
threading.Thread(target=read_answers, daemon=True).start()
channel.basic_qos(prefetch_count=64)
channel.basic_consume(queue, commit)
channel.start_consuming()
sys.exit(tool.wait())
