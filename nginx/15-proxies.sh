#!/bin/sh
# Writes down for nginx which proxies in front of it are believed: addresses or networks, separated by
# commas, in TRUSTED_PROXIES. It does so in the folder named.
set -eu
folder=${1:-/etc/nginx/conf.d}
: > "$folder/proxies.inc"
: > "$folder/proxies.geo"
for proxy in $(echo "${TRUSTED_PROXIES:-}" | tr ',' ' '); do
    echo "set_real_ip_from $proxy;" >> "$folder/proxies.inc"
    echo "$proxy 1;" >> "$folder/proxies.geo"
done
