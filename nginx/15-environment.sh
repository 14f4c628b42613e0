#!/bin/sh
# Write into the folder named what nginx cannot read from the environment: the trusted proxies in
# front of it (TRUSTED_PROXIES) and the hosts that it answers to (ALLOWED_HOSTS), both separated by
# commas, the target of plain HTTP (SITE_URL), and its worker processes (NGINX_WORKERS).
set -eu
folder=${1:-/etc/nginx/conf.d}

# Stop the start if a value contains anything that does not belong there.
only() {
    if [ -n "$(printf %s "$2" | tr -d "$3")" ]; then
        echo "$1 holds a character that does not belong into it: $2" >&2
        exit 1
    fi
}

only TRUSTED_PROXIES "${TRUSTED_PROXIES:-}" '0-9a-fA-F.:/, '
: >"$folder/proxies.inc"
: >"$folder/proxies.geo"
for proxy in $(echo "${TRUSTED_PROXIES:-}" | tr ',' ' '); do
    echo "set_real_ip_from $proxy;" >>"$folder/proxies.inc"
    echo "$proxy 1;" >>"$folder/proxies.geo"
done

hosts=${ALLOWED_HOSTS:-localhost,127.0.0.1}
only ALLOWED_HOSTS "$hosts" 'a-zA-Z0-9_.:,* []-'
echo "server_name $(echo "$hosts" | tr ',' ' ' | sed 's/\*/~./');" >"$folder/hosts.inc"

# Lines of several writers must not mix, and a pipe keeps only 4 KiB whole. One worker mixes with
# nobody.
workers=${NGINX_WORKERS:-auto}
connections=16384 buffer=4k
case $workers in
1) connections=32768 buffer=32k ;;
auto | [2-9] | [1-9][0-9]) ;;
*)
    echo "NGINX_WORKERS has to be auto or a number from 1 to 99, and not: $workers" >&2
    exit 1
    ;;
esac
cat >"$folder/workers.inc" <<END
worker_processes $workers;
events {
    worker_connections $connections;
}
END
echo "access_log /dev/stdout json buffer=$buffer flush=1s;" >"$folder/access_log.inc"

site=${SITE_URL:-https://localhost}
site=${site#*://}
only SITE_URL "${site%%/*}" 'a-zA-Z0-9_.:[]-'
echo "return 308 https://${site%%/*}\$request_uri;" >"$folder/site.inc"
