# SPDX-License-Identifier: Apache-2.0
"""What the integration and browser tests stand on: servers, stacks of real programs, clients. tests/README.md shows its use."""
