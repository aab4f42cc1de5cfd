# The consent ledger as an image: the binary that "make release" built, and nothing else.
# No base image is pulled, and nothing is built in here:
#
#	make release && docker build --tag consentledger:local .
#
# Time zones and the certificates of authorities are inside the binary.
FROM scratch

ARG TARGETARCH
ARG VERSION=unknown

LABEL org.opencontainers.image.title="consentledger" \
      org.opencontainers.image.description="Keeps the promises of a privacy policy, and proves them" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.documentation="docs/containers.md"

# /data and /tmp, empty: an image of nothing has no directory that the user may write to.
COPY --chown=65532:65532 dist/image/ /
COPY dist/consentledger-linux-${TARGETARCH} /consentledger

USER 65532:65532
VOLUME /data
EXPOSE 8080 4222

# It is not ready while it reads what it has to: a large ledger takes its time.
HEALTHCHECK --interval=10s --timeout=10s --start-period=2m --retries=3 CMD ["/consentledger", "healthcheck"]

ENTRYPOINT ["/consentledger"]
CMD ["serve", "--data", "/data/ledger", "--http", "0.0.0.0:8080", "--nats-listen", "0.0.0.0:4222", "--authenticate", "--tls-elsewhere"]
