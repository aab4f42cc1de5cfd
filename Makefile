# make test    what CI runs: every test with the race detector
# make lint    gofmt, go vet, staticcheck
# make build   bin/consentledger, stamped with its version
# make fuzz    the parsers of evidence and events, a minute each; FUZZTIME=10m for longer
# make release static binaries for every platform, and their hashes, in dist/; and what else
#              the Dockerfile takes
# make man     the manual pages of all verbs, in dist/man; make release has them, too
# make bench   the benchmark, on this machine

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
COMMIT ?= $(shell git rev-parse HEAD 2>/dev/null)$(shell test -z "$$(git status --porcelain 2>/dev/null)" || echo ", changed")
STATICCHECK ?= honnef.co/go/tools/cmd/staticcheck@v0.8.2

PLATFORMS ?= linux/amd64 linux/arm64 darwin/arm64 windows/amd64

.PHONY: test lint fuzz build release man bench
test:
	@sh .ci/test

lint:
	@out=$$(gofmt -l $$(git ls-files '*.go')); test -z "$$out" || { echo "not gofmt-ed: $$out"; exit 1; }
	CGO_ENABLED=0 go vet ./...
	CGO_ENABLED=0 go run $(STATICCHECK) ./...

fuzz:
	@sh .ci/fuzz

build:
	go build -trimpath -ldflags "-X main.version=$(VERSION) -X 'main.commit=$(COMMIT)'" -o bin/consentledger ./cmd/consentledger

release:
	rm -rf dist && mkdir -p dist/image/data dist/image/tmp
	set -e; for p in $(PLATFORMS); do \
		os=$${p%/*} arch=$${p#*/}; exe=; test $$os != windows || exe=.exe; \
		echo "dist/consentledger-$$os-$$arch$$exe"; \
		CGO_ENABLED=0 GOOS=$$os GOARCH=$$arch go build -trimpath -ldflags "-s -w -X main.version=$(VERSION) -X 'main.commit=$(COMMIT)'" \
			-o dist/consentledger-$$os-$$arch$$exe ./cmd/consentledger; \
	done
	cd dist && { command -v sha256sum >/dev/null && sha256sum consentledger-* || shasum -a 256 consentledger-*; } >SHA256SUMS.new && mv SHA256SUMS.new SHA256SUMS
	$(MAKE) man

# The pages have the date of the commit, so that they are the same every time.
man:
	mkdir -p dist/man
	SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct 2>/dev/null || echo 0) CGO_ENABLED=0 \
		go run -trimpath -ldflags "-X main.version=$(VERSION)" ./cmd/consentledger man dist/man

bench: build
	bin/consentledger bench
