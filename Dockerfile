# An image that holds sluice and what it needs to run, nothing else. docs/container.md says how to use it.
#   docker build -t sluice .
# The build packages are those of `tools/install-deps build`.

FROM debian:bookworm-slim AS build
RUN apt-get update && apt-get install -y --no-install-recommends \
      g++ meson ninja-build pkg-config libuv1-dev libmosquitto-dev rapidjson-dev libfmt-dev libspdlog-dev \
      libtomlplusplus-dev libcli11-dev libssl-dev libmicrohttpd-dev prometheus-cpp-dev libsqlite3-dev \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY meson.build meson_options.txt ./
COPY include include
COPY src src
RUN meson setup /build --buildtype=release --strip --prefix=/usr/local -Dtests=false -Dbenchmarks=false \
    && ninja -C /build \
    && DESTDIR=/install meson install -C /build --no-rebuild

FROM debian:bookworm-slim
LABEL org.opencontainers.image.title="sluice" \
      org.opencontainers.image.description="JSON over TCP in, pooled MQTT out" \
      org.opencontainers.image.licenses="MIT"
RUN apt-get update && apt-get install -y --no-install-recommends \
      ca-certificates libuv1 libmosquitto1 libfmt9 libspdlog1.10 libtomlplusplus3 libssl3 libmicrohttpd12 \
      libprometheus-cpp-core1.0 libsqlite3-0 \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --system --gid 9501 sluice \
    && useradd --system --uid 9501 --gid sluice --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin sluice
COPY --from=build /install/usr/local/bin/sluice /usr/local/bin/sluice
COPY conf/container/healthcheck /usr/local/bin/sluice-healthcheck
COPY conf/container/sluice.toml /etc/sluice/sluice.toml
# A library that is missing, or a configuration that does not fit the program, ends the build here.
RUN SLUICE_BROKER_URL=mqtt://localhost SLUICE_MIN_DEV_NO=0 SLUICE_MAX_DEV_NO=1000000 sluice check

# A number, so that an orchestrator can see that it is not root.
USER 9501:9501
EXPOSE 9501 9580
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s --retries=3 CMD ["/usr/local/bin/sluice-healthcheck"]
ENTRYPOINT ["/usr/local/bin/sluice"]
CMD ["serve"]
