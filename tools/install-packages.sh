#!/bin/sh
# Install Debian packages that a make target needs: install-packages.sh NAME...
set -eu
if ! command -v apt-get >/dev/null; then
  echo "please install: $*" >&2
  exit 1
fi
sudo=""
if [ "$(id -u)" != 0 ]; then
  command -v sudo >/dev/null || { echo "please install as root: $*" >&2; exit 1; }
  sudo=sudo
fi
$sudo apt-get update -qq
DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends "$@"
