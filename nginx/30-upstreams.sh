#!/bin/sh
# Write upstreams.inc, the groups of replicas that nginx sends requests to, into the folder named.
# nginx keeps connections to a group open and follows its name in the DNS, which needs 1.27.3.
set -eu
folder=${1:-/etc/nginx/conf.d}
version=$(nginx -v 2>&1 | sed 's/.*nginx\///; s/ .*//')
first=$(printf '%s\n' 1.27.3 "$version" | sort -V | head -n 1)

group() {
    cat <<END
upstream $1 {
    zone $1 128k;
    # The DNS says which replicas exist. One slow answer does not exclude a replica.
    server $1:8000 resolve max_fails=0;
    keepalive 128;
    # Less than uvicorn's --timeout-keep-alive, so that nginx never sends into a closing connection.
    keepalive_timeout 60s;
    keepalive_requests 100000;
}
END
}

if [ "$first" = 1.27.3 ]; then
    for role in web live; do
        for name in $role $role-blue $role-green; do
            group $name
        done
    done
    port=
else
    echo "nginx $version opens a connection for each request; one from 1.27.3 on keeps them." >&2
    port=:8000
fi >"$folder/upstreams.inc"
cat >>"$folder/upstreams.inc" <<END
map \$host \$replica_port {
    default "$port";
}
END
