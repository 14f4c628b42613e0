#!/bin/sh
# Load changed templates and certificates, if nginx finds them valid. Without a change there is no
# reload, because a reload ends the idle connections of clients. Comments are no change.
set -eu
used=/etc/nginx/conf.d
main=$used/nginx.conf
directives() (
    cd "$1"
    for name in *; do
        echo "$name"
        sed '/^[[:space:]]*\(#.*\)\{0,1\}$/d' "$name"
    done
)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/new" "$work/old"
cp -p "$used"/* "$work/old/"
names=$(env | sed -n 's/^\([A-Za-z_][A-Za-z_0-9]*\)=.*/${\1}/p' | tr '\n' ' ')
for template in /etc/nginx/templates/*.template; do
    envsubst "$names" <"$template" >"$work/new/$(basename "$template" .template)"
done
before=$(cat /etc/nginx/tls/*.pem | cksum)
sh /etc/nginx/templates/10-certificate.sh
for script in 15-environment 30-upstreams; do
    sh "/etc/nginx/templates/$script.sh" "$work/new"
done
if [ "$(directives "$work/new")" = "$(directives "$work/old")" ] && [ "$(cat /etc/nginx/tls/*.pem | cksum)" = "$before" ]; then
    exit 0
fi
cp "$work/new"/* "$used/"
if ! nginx -q -t -c "$main"; then
    cp -p "$work/old"/* "$used/"
    echo "nginx goes on with the configuration that it has." >&2
    exit 1
fi
nginx -q -c "$main" -s reload
echo "nginx took over what has changed."
