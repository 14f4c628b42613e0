#!/bin/sh
# Put the certificate of nginx in place: the one in the mounted folder, or else a self-signed one,
# so that port 443 always answers. reload.sh runs this again after a renewal.
set -eu
ALLOWED_HOSTS="${ALLOWED_HOSTS:-}"
given=/etc/nginx/certificates
used=/etc/nginx/tls
umask 077

# Whether the folder holds a certificate and the key that belongs to it. During a replacement one of
# them may be new and the other old.
whole() {
    [ -s "$1/fullchain.pem" ] && [ -s "$1/privkey.pem" ] || return 1
    certificate=$(openssl x509 -pubkey -noout -in "$1/fullchain.pem" 2>/dev/null) || return 1
    key=$(openssl pkey -pubout -in "$1/privkey.pem" 2>/dev/null) || return 1
    [ "$certificate" = "$key" ]
}

if whole "$given"; then
    cp "$given/fullchain.pem" "$given/privkey.pem" "$used/"
    rm -f "$used/self-signed"
    exit 0
fi
if [ -e "$given/fullchain.pem" ] || [ -e "$given/privkey.pem" ]; then
    echo "fullchain.pem and privkey.pem in the mounted folder are no pair; they are not used." >&2
fi
if ! whole "$used" || { [ -e "$used/self-signed" ] \
    && ! openssl x509 -checkend 2592000 -noout -in "$used/fullchain.pem" >/dev/null; }; then
    name="${ALLOWED_HOSTS%%,*}"
    name="${name:-localhost}"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 397 \
        -subj "/CN=$name" -addext "subjectAltName=DNS:$name,DNS:localhost,IP:127.0.0.1" \
        -keyout "$used/privkey.pem" -out "$used/fullchain.pem" 2>/dev/null
    touch "$used/self-signed"
    echo "There is no certificate in the mounted folder; using a self-signed one for $name." >&2
fi
