"""umqtt/robust.py - as umqtt.robust: publish() and wait_msg() that reconnect when the connection is gone."""

import time

from . import simple


class MQTTClient(simple.MQTTClient):
    def reconnect(self):
        while True:
            try:
                return self.connect(False)
            except OSError:
                time.sleep(2)

    def again(self, call):
        while True:
            try:
                return call()
            except OSError:
                self.reconnect()

    def publish(self, topic, msg, retain=False, qos=0):
        return self.again(lambda: simple.MQTTClient.publish(self, topic, msg, retain, qos))

    def wait_msg(self):
        return self.again(lambda: simple.MQTTClient.wait_msg(self))

    def check_msg(self, attempts=2):
        for _ in range(attempts):
            self.sock.setblocking(False)
            try:
                return simple.MQTTClient.wait_msg(self)
            except OSError:
                self.reconnect()
