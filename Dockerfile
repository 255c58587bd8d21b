# The gateway alone (target gateway), or with the example graph (target example).

FROM python:3.11-slim AS build
ENV PATH=/venv/bin:$PATH PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /venv
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY graphgw graphgw
RUN pip install ".[encodings]"

FROM build AS build-example
RUN pip install ".[encodings,example]"

FROM python:3.11-slim AS gateway
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
RUN useradd --uid 10001 --no-create-home graphgw \
    && install -d -o graphgw /app /app/.graphgw
WORKDIR /app
COPY --from=build /venv /venv
USER 10001
EXPOSE 4000
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s CMD \
    ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:4000/health', timeout=2)"]
CMD ["graphgw", "serve", "--host", "0.0.0.0", "--port", "4000"]

FROM gateway AS example
COPY --from=build-example /venv /venv
COPY graphgw.yaml ./
COPY schema schema
COPY resolvers resolvers
COPY backends backends
COPY examples examples
COPY operations operations
