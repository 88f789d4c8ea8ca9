#!/usr/bin/env bash
# Installs Debian's Chromium for the dashboard's browser tests, unless there is one.
set -euo pipefail
if ! command -v chromium >/dev/null; then
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends chromium >/dev/null
fi
chromium --version --no-sandbox
