# syntax=docker/dockerfile:1
# Tags, not digests: digests could not be looked up where this was written. A release pins both:
#   docker build --build-arg BUILD_IMAGE=node:24.9.0-bookworm-slim@sha256:… --build-arg RUNTIME_IMAGE=gcr.io/distroless/nodejs24-debian13:nonroot@sha256:… .
# Distroless has no tag for a patch release of Node: the runtime's moves with its security fixes.
ARG BUILD_IMAGE=docker.io/library/node:24.9.0-bookworm-slim
ARG RUNTIME_IMAGE=gcr.io/distroless/nodejs24-debian13:nonroot

# the bundle is the same on every platform: it is built once, on the builder's own
FROM --platform=$BUILDPLATFORM ${BUILD_IMAGE} AS build
WORKDIR /src
# in this order, so that a change of the sources does not install the packages again
COPY package.json package-lock.json .npmrc ./
COPY tools/setup.mjs tools/setup.mjs
RUN node tools/setup.mjs
COPY tsconfig.json ./
COPY tools/build tools/build
COPY src src
RUN npm run build

FROM ${RUNTIME_IMAGE}
ARG VERSION=0.1.0
ARG REVISION=unknown
ARG CREATED
LABEL org.opencontainers.image.title="Tokenwright" \
      org.opencontainers.image.description="API-token governance for Kubernetes: declared, scoped, expiring, rotated and audited tokens" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}"
WORKDIR /app
COPY --from=build /src/dist/tokenwright.js /src/dist/THIRD_PARTY_LICENSES.txt ./
COPY --from=build /src/dist/chunks ./chunks
COPY LICENSE ./
ENV NODE_ENV=production
# distroless' nonroot, as a number: the kubelet cannot tell whether a name is root
USER 65532:65532
EXPOSE 8080
STOPSIGNAL SIGTERM
# Node is process 1 and handles SIGTERM itself. Nothing here writes a file: the root file system may be read-only.
ENTRYPOINT ["/nodejs/bin/node", "/app/tokenwright.js"]
CMD ["operator"]
