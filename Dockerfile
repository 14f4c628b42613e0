# One image for every process of the shop; docker-compose.yml says which one a container is.

ARG PYTHON_IMAGE=python:3.13-slim
FROM ${PYTHON_IMAGE} AS build
# A mirror of PyPI, if the building machine has one.
ARG PIP_INDEX_URL
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONDONTWRITEBYTECODE=1
RUN python -m venv /opt/venv
WORKDIR /app
# Set to anything, it adds what DOCUMENT_STORAGE=s3 needs.
ARG IMAGE_S3
# Set to anything, it adds what KAFKA_BROKERS needs.
ARG IMAGE_KAFKA
COPY requirements.lock requirements-s3.lock requirements-kafka.lock ./
RUN /opt/venv/bin/pip install --quiet --require-hashes --only-binary :all: \
    -r requirements.lock ${IMAGE_S3:+-r requirements-s3.lock} ${IMAGE_KAFKA:+-r requirements-kafka.lock}
COPY . .
# Collect static files as production serves them. The secrets here exist for this line only.
RUN secret="$(head -c 48 /dev/urandom | base64 -w 0)" \
 && ENVIRONMENT=production DJANGO_SECRET_KEY="$secret" POSTGRES_PASSWORD="$secret" \
    DATA_KEYS="k0:$(head -c 32 /dev/urandom | base64 -w 0)" \
    REDIS_URL=redis://nowhere:6379/0 SECRET_EMAIL_USER="$secret" SECRET_EMAIL_USER_PSWD="$secret" \
    STATIC_ROOT=/app/staticfiles DATA_DIR=/tmp \
    /opt/venv/bin/python manage.py collectstatic --noinput --verbosity 0 \
 && /opt/venv/bin/python -m compileall -q /app /opt/venv/lib

FROM ${PYTHON_IMAGE}
RUN groupadd --gid 10001 shop \
 && useradd --uid 10001 --gid shop --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin shop \
 && install -d -o shop -g shop /var/lib/shop /var/lib/shop/reports /var/lib/shop/journal /var/lib/shop/static
COPY --from=build /opt/venv /opt/venv
COPY --from=build /app /app
WORKDIR /app
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    ENVIRONMENT=production \
    DATA_DIR=/tmp \
    REPORTS_DIR=/var/lib/shop/reports \
    JOURNAL_DIR=/var/lib/shop/journal \
    STATIC_ROOT=/app/staticfiles
USER shop
EXPOSE 8000
# The ASGI server of the Procfile, on every interface. After SIGTERM it waits for open requests
# only, as long as nginx does.
CMD ["python", "-m", "uvicorn", "shop.asgi:application", "--host", "0.0.0.0", "--port", "8000", \
     "--http", "purchases.ingest.protocol:Protocol", "--loop", "uvloop", "--lifespan", "on", \
     "--no-access-log", "--no-proxy-headers", "--no-server-header", \
     "--ws", "shop.server.sockets:SocketProtocol", "--ws-max-size", "65536", "--ws-per-message-deflate", "false", \
     "--ws-ping-interval", "20", "--ws-ping-timeout", "60", "--timeout-keep-alive", "75", \
     "--timeout-graceful-shutdown", "300"]
