#!/bin/sh
# Installs those of the named Debian packages that are missing. llvm-19-dev is called llvm-dev on later releases.
missing=
for package in "$@"; do
    dpkg -s "$package" >/dev/null 2>&1 || missing="$missing $package"
done
[ -z "$missing" ] && exit 0
echo "installing:$missing"
become=
[ "$(id -u)" = 0 ] || become=sudo
$become apt-get update -qq
# The packages are words: split on purpose.
# shellcheck disable=SC2086
$become env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
