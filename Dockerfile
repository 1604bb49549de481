# The program alone, for `COPY --from` into an image that has the command to wrap:
#
#	COPY --from=ghcr.io/juliendoutre/proxaudit /proxaudit /usr/local/bin/
FROM --platform=$BUILDPLATFORM golang:1.26 AS build
ARG VERSION=(devel) TARGETOS TARGETARCH
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
# Without cgo the binary runs on musl too, and a jail is made faster.
RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH \
    go build -trimpath -ldflags "-s -w -X main.version=${VERSION}" -o /proxaudit ./cmd/proxaudit

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /proxaudit /proxaudit
USER 65534:65534
ENTRYPOINT ["/proxaudit"]
