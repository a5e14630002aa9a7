#!/bin/sh
# Prints the root of the OTP installation Enigma runs: ENIGMA_OTP_ROOT if set, else the usual places.
for root in "${ENIGMA_OTP_ROOT-}" /usr/lib/erlang /usr/local/lib/erlang /opt/erlang; do
    [ -n "$root" ] && [ -f "$root/bin/start.boot" ] && { echo "$root"; exit 0; }
done
echo "No Erlang/OTP 25 found: install Debian's erlang packages (make setup) or set ENIGMA_OTP_ROOT." >&2
exit 1
