# Builds Sluice and puts it, without the toolchain, on a small Debian.
FROM swift:6.3-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends libsqlite3-dev libsnappy-dev zlib1g-dev \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY Package.swift Package.resolved* ./
RUN swift package resolve
COPY Sources Sources
COPY Tests Tests
RUN swift build -c release --product sluice --static-swift-stdlib \
    && install -D -s "$(swift build -c release --show-bin-path)/sluice" /out/sluice

FROM debian:12-slim
RUN apt-get update && apt-get install -y --no-install-recommends libsnappy1v5 libsqlite3-0 zlib1g libstdc++6 ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --home-dir /var/lib/sluice sluice \
    && install -d -o sluice -g sluice -m 0700 /var/lib/sluice
COPY --from=build /out/sluice /usr/bin/sluice
USER sluice
VOLUME /var/lib/sluice
EXPOSE 8086 8087
ENTRYPOINT ["/usr/bin/sluice"]
CMD ["serve"]
