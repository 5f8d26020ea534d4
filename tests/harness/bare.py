# SPDX-License-Identifier: Apache-2.0
"""Clients that keep no cookies: every request is a stranger's, unless it says otherwise."""

from http.cookiejar import DefaultCookiePolicy


def bare_client(stack, room=0, **options):
    """As stack.client(), without a cookie jar: what a test wants sent, it puts into the headers."""
    client = stack.client(room, **options)
    client.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    return client
