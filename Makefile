# make test    what CI runs: every test with the race detector
# make lint    gofmt, go vet, staticcheck
# make build   bin/consentledger, stamped with its version

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
STATICCHECK ?= honnef.co/go/tools/cmd/staticcheck@v0.8.2

.PHONY: test lint build
test:
	@sh .ci/test

lint:
	@out=$$(gofmt -l $$(git ls-files '*.go')); test -z "$$out" || { echo "not gofmt-ed: $$out"; exit 1; }
	go vet ./...
	go run $(STATICCHECK) ./...

build:
	go build -trimpath -ldflags "-X main.version=$(VERSION)" -o bin/consentledger ./cmd/consentledger
