# make test   everything a change must pass, on a fresh Debian machine with Go
# make lint   the linters of .golangci.yml, gofumpt, go.mod
# make check  both
# make help   the rest

SHELL       := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

GO       ?= go
FUZZTIME ?= 20s

# The race detector watches our code and every library but one: SQLite as Go is
# machine-made from C, has its own locks, and runs ten times slower when watched.
RACE := -race -gcflags=modernc.org/...=-race=false

.PHONY: help test check lint fmt generate build packages vet fuzz bench conformance scale-ldap soak-ldap cover clean

help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

packages: ## the servers that the tests run against (installs them when root)
	@.ci/packages

vet: ## go vet
	$(GO) vet ./...

test: packages vet ## everything: packages, vet, all tests with the race detector
	$(GO) test $(RACE) -timeout 20m ./...

check: lint test ## lint, then test

lint: bin/golangci-lint bin/gofumpt bin/templ ## linters, formatting, go.mod
	$(GO) mod tidy -diff
	@unformatted=$$(bin/gofumpt -l .); \
	if [[ -n $$unformatted ]]; then echo "not formatted (make fmt):"; echo "$$unformatted"; exit 1; fi
	bin/golangci-lint run ./...
	@before=$$(cat console/*_templ.go | sha256sum); bin/templ generate -path console >/dev/null 2>&1; \
	if [[ $$before != $$(cat console/*_templ.go | sha256sum) ]]; then echo "templates were not generated (make generate)"; exit 1; fi

fmt: bin/gofumpt ## format every Go file
	bin/gofumpt -w .

generate: bin/templ ## the Go of the console's templates, which is committed
	bin/templ generate -path console

build: ## one static binary: bin/usherd
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags "-s -w" -o bin/usherd ./cmd/usherd

# Every fuzz target in turn, FUZZTIME each.
fuzz: ## a short while of each fuzz target (FUZZTIME=20s)
	@grep -rlE '^func Fuzz' --include='*_test.go' . | sort | while read -r file; do \
	  pkg=$$(dirname "$$file"); \
	  grep -oE '^func Fuzz[A-Za-z0-9_]*' "$$file" | awk '{print $$2}' | while read -r target; do \
	    echo "== $$pkg $$target"; \
	    $(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) "$$pkg"; \
	  done; \
	done

bench: ## all benchmarks, with allocations
	$(GO) test -run '^$$' -bench . -benchmem ./...

conformance: ## the public SCIM suites against a fresh daemon (needs Python and an index)
	@GO="$(GO)" conformance/run

scale-ldap: packages ## time and memory of reading a million people (SCALE=1000000)
	GOMEMLIMIT=700MiB USHERD_SCALE_LDAP_GROUP=500000 $(GO) test ./ldapsync -run '^TestScaleGroup$$' -v -count=1 -timeout 30m
	GOMEMLIMIT=300MiB USHERD_SCALE_LDAP=$(or $(SCALE),1000000) $(GO) test ./ldapsync -run '^TestScale$$' -v -count=1 -timeout 90m

soak-ldap: packages ## random changes in three real directories (SOAK=500)
	USHERD_SOAK_LDAP=$(or $(SOAK),500) $(GO) test $(RACE) ./ldapsync -run '^(TestALife.*|TestActiveDirectory)$$' -v -count=1 -timeout 60m

cover: packages ## test coverage: cover.html
	$(GO) test -coverprofile cover.out ./...
	$(GO) tool cover -func cover.out | tail -1
	$(GO) tool cover -html cover.out -o cover.html

clean: ## what make made
	rm -rf bin cover.out cover.html

# The tools are pinned in a module of their own; building them takes a few
# minutes once and nothing after that.
bin/golangci-lint: tools/go.mod tools/go.sum
	$(GO) build -C tools -o ../$@ github.com/golangci/golangci-lint/v2/cmd/golangci-lint

bin/gofumpt: tools/go.mod tools/go.sum
	$(GO) build -C tools -o ../$@ mvdan.cc/gofumpt

bin/templ: tools/go.mod tools/go.sum
	$(GO) build -C tools -o ../$@ github.com/a-h/templ/cmd/templ
