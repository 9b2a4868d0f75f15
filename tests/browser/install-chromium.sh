#!/bin/sh
# Make sure there is a Chromium for the browser tests: CHROMIUM, one on the PATH, or Debian's.
set -eu
[ -n "${CHROMIUM:-}" ] && [ -x "$CHROMIUM" ] && exit 0
command -v chromium >/dev/null 2>&1 && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "Installing chromium for the browser tests ..."
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium fonts-noto-cjk >/dev/null
    exit 0
fi
echo "The browser tests need Chromium: 'sudo apt-get install chromium', or name one with" >&2
echo "CHROMIUM=/path/to/chromium. The other tests: 'make test ARGS=\"-m \\\"not browser\\\"\"'." >&2
case "${ARGS:-}" in *"not browser"*) exit 0 ;; *) exit 1 ;; esac
