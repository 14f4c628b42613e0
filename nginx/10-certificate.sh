#!/bin/sh
# Puts the certificate in place that nginx is to use: the one in the mounted folder, or else one that
# is signed by itself, so that 443 always answers. Run again, with `nginx -s reload`, after a renewal.
set -eu
ALLOWED_HOSTS="${ALLOWED_HOSTS:-}"
given=/etc/nginx/certificates
used=/etc/nginx/tls
umask 077
if [ -s "$given/fullchain.pem" ] && [ -s "$given/privkey.pem" ]; then
    cp "$given/fullchain.pem" "$given/privkey.pem" "$used/"
    rm -f "$used/self-signed"
elif [ ! -s "$used/fullchain.pem" ] || { [ -e "$used/self-signed" ] \
    && ! openssl x509 -checkend 2592000 -noout -in "$used/fullchain.pem" >/dev/null; }; then
    name="${ALLOWED_HOSTS%%,*}"
    name="${name:-localhost}"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 397 \
        -subj "/CN=$name" -addext "subjectAltName=DNS:$name,DNS:localhost,IP:127.0.0.1" \
        -keyout "$used/privkey.pem" -out "$used/fullchain.pem" 2>/dev/null
    touch "$used/self-signed"
    echo "There is no certificate in the mounted folder; using a self-signed one for $name." >&2
fi
