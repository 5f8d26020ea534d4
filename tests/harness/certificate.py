# SPDX-License-Identifier: Apache-2.0
"""A certificate that only tests and measurements trust."""

import subprocess


def make_certificate(folder):
    """Writes certificate.pem and key.pem for localhost and 127.0.0.1, self-signed, into the folder; returns it."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
                    "-keyout", folder / "key.pem", "-out", folder / "certificate.pem"],
                   check=True, capture_output=True, timeout=30)
    return folder
