"""umqtt/simple.py - the calls of MicroPython's umqtt.simple that the board makes, with the same answers and
the same exceptions, for a host where `mip install` cannot reach it. A board has the real one."""

import socket
import struct


class MQTTException(Exception):
    pass


def text(value):
    data = value.encode() if isinstance(value, str) else value
    return struct.pack("!H", len(data)) + data


class MQTTClient:
    def __init__(self, client_id, server, port=0, user=None, password=None, keepalive=0, ssl=None):
        self.client_id, self.server, self.port = client_id, server, port or (8883 if ssl else 1883)
        self.user, self.password, self.keepalive, self.ssl = user, password, keepalive, ssl
        self.sock, self.callback, self.will, self.packet_id = None, None, None, 0

    def set_callback(self, function):
        self.callback = function

    def set_last_will(self, topic, msg, retain=False, qos=0):
        self.will = (topic, msg, retain, qos)

    def send(self, header, body):
        length, rest = b"", len(body)
        while True:
            rest, low = rest >> 7, rest & 0x7F
            length += bytes([low | (0x80 if rest else 0)])
            if not rest:
                break
        self.sock.write(bytes([header]) + length + body)

    def connect(self, clean_session=True, timeout=None):
        self.sock = socket.socket()
        self.sock.connect(socket.getaddrinfo(self.server, self.port)[0][-1])
        if self.ssl:
            self.sock = self.ssl.wrap_socket(self.sock, server_hostname=self.server)
        flags, payload = clean_session << 1, text(self.client_id)
        if self.will:
            topic, msg, retain, qos = self.will
            flags |= 4 | qos << 3 | retain << 5
            payload += text(topic) + text(msg)
        if self.user:
            flags |= 0xC0
            payload += text(self.user) + text(self.password)
        self.send(0x10, text("MQTT") + bytes([4, flags]) + struct.pack("!H", self.keepalive) + payload)
        answer = self.sock.read(4)
        assert answer[0] == 0x20 and answer[1] == 2
        if answer[3]:
            raise MQTTException(answer[3])
        return answer[2] & 1

    def disconnect(self):
        self.sock.write(b"\xe0\0")
        self.sock.close()

    def ping(self):
        self.sock.write(b"\xc0\0")

    def publish(self, topic, msg, retain=False, qos=0):
        assert qos == 0
        self.send(0x30 | retain, text(topic) + (msg.encode() if isinstance(msg, str) else msg))

    def subscribe(self, topic, qos=0):
        self.packet_id += 1
        self.send(0x82, struct.pack("!H", self.packet_id) + text(topic) + bytes([qos]))
        while self.wait_msg() != 0x90:
            pass
        if self.sock.read(4)[3] == 0x80:
            raise MQTTException(0x80)

    def wait_msg(self):
        first = self.sock.read(1)
        self.sock.setblocking(True)
        if first is None:
            return None
        if first == b"":
            raise OSError(-1)
        kind = first[0]
        if kind == 0xD0:
            self.sock.read(1)
            return None
        if kind & 0xF0 != 0x30:
            return kind
        length = shift = 0
        more = True
        while more:
            byte = self.sock.read(1)[0]
            length |= (byte & 0x7F) << shift
            shift += 7
            more = byte & 0x80
        body = self.sock.read(length)
        start = 2 + struct.unpack("!H", body)[0]
        self.callback(body[2:start], body[start:])
        return kind

    def check_msg(self):
        self.sock.setblocking(False)
        return self.wait_msg()
