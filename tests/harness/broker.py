# SPDX-License-Identifier: Apache-2.0
"""The servers of a test session: private ones, or those that MYSQL_URL and AMQP_URL name.

Every stack gets a database and, where RabbitMQ's HTTP interface answers, a virtual host of its own. Without that
interface the exchanges are shared, so there can be one stack at a time.
"""

import base64
import json
import os
import urllib.error
import urllib.request
from urllib.parse import quote, unquote, urlsplit

import pika
import pymysql
import pytest
from private_servers import Servers
from processes import Failed

EXCHANGES = ("onsale.feed", "onsale.control")


class Backends:
    """Where MySQL and RabbitMQ are, and how a stack gets its corner of each."""

    def __init__(self, folder, given=True):
        """given=False: private ones in any case, for a test that kills them."""
        mysql_url, amqp_url = (os.environ.get(name) if given else None for name in ("MYSQL_URL", "AMQP_URL"))
        self.private = None
        if not mysql_url or not amqp_url:
            self.private = Servers(folder, management=True).start()
        self.mysql_url = mysql_url or self.private.mysql.url
        self.amqp_url = amqp_url or self.private.amqp.url
        self._management = self.private.amqp.management_url if not amqp_url else _management_of(amqp_url)
        self._made = 0
        self._shared_by = None

    def close(self):
        if self.private is not None:
            self.private.stop(now=True)

    @property
    def mysql(self):
        """host, port, user, password of somebody who may create databases and users."""
        url = urlsplit(self.mysql_url)
        return {"host": url.hostname or "127.0.0.1", "port": url.port or 3306, "user": unquote(url.username or "root"),
                "password": unquote(url.password or "")}

    @property
    def amqp(self):
        url = urlsplit(self.amqp_url)
        return {"host": url.hostname or "127.0.0.1", "port": url.port or 5672, "user": url.username or "guest",
                "password": url.password or "guest", "vhost": url.path[1:] or "%2F"}

    def connect(self, database=None, **options):
        return pymysql.connect(**self.mysql, database=database, autocommit=True, charset="utf8mb4",
                               **({"connect_timeout": 10, "read_timeout": 60, "write_timeout": 60} | options))

    def new_name(self):
        """A name for a database, a virtual host, users: unique on the server as long as this process lives."""
        self._made += 1
        return f"onsale_t{os.getpid()}_{self._made}"

    def drop_database(self, name, users=()):
        with self.connect() as connection, connection.cursor() as cursor:
            cursor.execute(f"DROP DATABASE IF EXISTS `{name}`")
            for user in users:
                cursor.execute("SELECT host FROM mysql.user WHERE user = %s", (user,))
                for (host,) in cursor.fetchall():
                    cursor.execute(f"DROP USER `{user}`@`{host}`")

    def new_vhost(self, name):
        """The path part of an AMQP URL that nobody else uses, and the function that gives it back."""
        if self._management is None:
            return self._share(name)
        self._request("PUT", f"/api/vhosts/{name}")
        self._request("PUT", f"/api/permissions/{name}/{self.amqp['user']}", {"configure": ".*", "write": ".*", "read": ".*"})
        return name, lambda: self._request("DELETE", f"/api/vhosts/{name}")

    def _share(self, name):
        if self._shared_by is not None:
            pytest.skip("two stacks at a time need RabbitMQ's HTTP interface, for a virtual host each")
        self._shared_by = name

        def give_back():
            self._shared_by = None
            connection = pika.BlockingConnection(pika.URLParameters(self.amqp_url))
            channel = connection.channel()
            for exchange in EXCHANGES:
                channel.exchange_delete(exchange)
            connection.close()

        return self.amqp["vhost"], give_back

    def _request(self, method, path, body=None):
        amqp = self.amqp
        login = base64.b64encode(f"{unquote(amqp['user'])}:{unquote(amqp['password'])}".encode()).decode()
        request = urllib.request.Request(self._management + path, method=method,
                                         data=json.dumps(body).encode() if body is not None else None,
                                         headers={"Authorization": f"Basic {login}", "Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def broker_api(self, method, path, body=None):
        """RabbitMQ's HTTP interface, for what a test wants to look at. Skips where there is none."""
        if self._management is None:
            pytest.skip("needs RabbitMQ's HTTP interface")
        return self._request(method, path, body)


def _management_of(amqp_url):
    """The HTTP interface of a given broker, if it answers at the usual port; AMQP_MANAGEMENT_URL names another."""
    url = urlsplit(amqp_url)
    candidate = os.environ.get("AMQP_MANAGEMENT_URL") or f"http://{url.hostname}:{(url.port or 5672) + 10000}"
    try:
        urllib.request.urlopen(candidate, timeout=3).close()
    except urllib.error.HTTPError:
        return candidate
    except OSError:
        return None
    return candidate


__all__ = ["Backends", "Failed", "quote"]
