"""Starts the server of forked processes on import: it reads libraries while the tests are collected."""

from __future__ import annotations

from forked import server

server()
