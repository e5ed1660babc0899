# syntax=docker/dockerfile:1

# The environment, from the lock, with the service installed into it.
FROM python:3.13-slim AS build
ENV UV_PROJECT_ENVIRONMENT=/opt/tunetrack \
    UV_COMPILE_BYTECODE=1 \
    UV_LINK_MODE=copy \
    UV_NO_CACHE=1 \
    UV_PYTHON_DOWNLOADS=never
RUN pip install --no-cache-dir uv==0.13.9
# What is wanted besides: docker build --build-arg EXTRAS="--extra otel --extra parquet" .
ARG EXTRAS=
WORKDIR /src
# The dependencies are a layer of their own: a change of the code does not install them again.
COPY pyproject.toml uv.lock ./
COPY client/pyproject.toml client/pyproject.toml
# hadolint ignore=SC2086 -- several words, if any
RUN uv sync --locked --no-dev --no-install-project $EXTRAS
COPY README.md LICENSE ./
COPY app app
COPY migrations migrations
# hadolint ignore=SC2086
RUN uv sync --locked --no-dev --no-editable $EXTRAS

FROM python:3.13-slim
RUN groupadd --gid 10001 tunetrack \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /data --shell /usr/sbin/nologin tunetrack \
    && install --directory --owner 10001 --group 10001 --mode 0750 /data
COPY --from=build /opt/tunetrack /opt/tunetrack
ENV PATH=/opt/tunetrack/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    TUNETRACK_HOST=0.0.0.0 \
    TUNETRACK_PORT=8000 \
    TUNETRACK_DATABASE=sqlite:////data/tunetrack.db
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; r.build_opener(r.ProxyHandler({})).open('http://127.0.0.1:' + os.environ['TUNETRACK_PORT'] + '/healthz', timeout=4)"]
ENTRYPOINT ["tunetrack"]
CMD ["serve"]
