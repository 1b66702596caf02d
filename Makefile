# The front door. Settings are variables, of the environment or `make TARGET NAME=value`:
#   build: PROFILE=slim|full  SOURCE=index|git|PATH  GIT_URL=  OFFLINE=1  PYTHON=  CACHE_DIR=  JOBS=
#   run:   HOST PORT ORIGIN DATA_DIR TDX LLM OLLAMA_BASE_URL TEE_SERVICE TEE_SERVICE_URL TEE_SERVICE_KEY TEE_GATE
#          TEE_CHANNEL
#   TLS:   TLS=off|self-signed|acme|files  TLS_CERT_FILE TLS_KEY_FILE ACME_DIRECTORY ACME_CONTACT ACME_CA_FILE HTTP_PORT
#          (docs/deployment.md says what each means, and lists the rest)

PYTHON ?= python3
# A Python that nobody named may be replaced by python3.12 or python3.11 where it is too old.
ANY := $(if $(filter file,$(origin PYTHON)),--any-python)
TOOL := $(PYTHON) scripts/bootstrap.py $(ANY) -- -m scripts
TESTS := $(PYTHON) scripts/bootstrap.py $(ANY) --tests --

STAGES := fetch patch plugin web nodemodules frontend backend assemble
STAGE_TARGETS := $(addprefix stage-,$(STAGES))

.PHONY: help instance deploy test-deploy image image-reference test-image lock-image fetch frontend backend plugin build run test test-attacks test-fast test-reproducible test-python mutants unpatched fuzz advisories lint bench bench-build doctor patch edit refresh port check-patches release reference clean lock tdx stages $(STAGE_TARGETS)
.DEFAULT_GOAL := help
# The value of a variable that a target cannot do without.
given = $(or $($(1)),$(error $@ needs $(1)=; see `make help`))
# What to do next, said by a build that somebody asked for.
NEXT := $(if $(filter build,$(or $(MAKECMDGOALS),build)),The release is built. Next: make run; then open http://127.0.0.1:8080)

help: ## list the targets and the settings
	@awk -F ' ## ' '/^##@ / { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z-]+:.* ## / { split($$1, t, ":"); printf "  make %-17s %s\n", t[1], $$2 }' $(MAKEFILE_LIST)
	@printf '\nSettings, as `make TARGET NAME=value` or in the environment\n'
	@sed -n 's/^#   /  /p' $(firstword $(MAKEFILE_LIST))

##@ To build and to run it

build: ## build the release in dist/ (a second time: only what changed)
	@$(TOOL) status --quiet; status=$$?; \
	case $$status in 0) ;; 10) exec $(MAKE) --no-print-directory stages SAY='$(NEXT)' ;; *) exit $$status ;; esac

run: $(if $(filter real,$(TDX)),tdx) build ## start the release: the web server, the attester and a model; Ctrl-C stops them all
	@exec $(TOOL) run

tdx:
	@$(TOOL) require-tdx

reference: build ## reference values of this release, for verifiers
	@$(TOOL) reference

release: build ## the archive of the release, with checksums
	@$(TOOL) release

doctor: ## what this machine has and lacks for each step
	@$(TOOL) doctor

image: build ## the machine image in dist/ and its measurements: FORMAT=qcow2 beside raw, FIRMWARE=
	@$(TOOL) image $(if $(FORMAT),--format $(FORMAT)) $(if $(FIRMWARE),--firmware $(FIRMWARE))

image-reference: ## reference values of the image: CONFIG=, BUNDLE= of a trusted machine, its FIRMWARE=
	@$(TOOL) image-reference $(if $(CONFIG),--config $(CONFIG)) $(if $(BUNDLE),--bundle $(BUNDLE)) $(if $(FIRMWARE),--firmware $(FIRMWARE))

instance: ## print the call that makes the documented instance: IMAGE_ID= KEY_PAIR= SECURITY_GROUP= VSWITCH=
	@$(TOOL) instance

deploy: ## set up HOST=user@host|local with the variables of VARS=file.yml; CHECK=1: only show it
	@$(TOOL) deploy $(call given,HOST) $(if $(VARS),--vars $(VARS)) $(if $(CHECK),--check)

clean: ## delete build/ and dist/; the cache and user data stay
	@$(TOOL) clean

##@ To check it

test: build ## every test of one build: units, the release, the browser, the web verifier
	@$(TOOL) test

# Of the folders that are left out, every test is slow or needs a build: importing them takes longer than some tests.
# What pytest makes of the others is kept, wherever Python is told to keep nothing: that is a third of the time.
test-fast: export PYTHONPYCACHEPREFIX := $(CURDIR)/build/pycache
test-fast: export PYTHONDONTWRITEBYTECODE :=
test-fast: ## the tests that need no build and start little, in seconds
	@$(TESTS) -m pytest tests $(addprefix --ignore=tests/,agreement attacks release) -q -n auto --dist loadfile -m "not slow and not release and not browser and not deploy and not image"

test-deploy: build ## set up a fresh Debian 12 with systemd, in a container, down to the verdict (as root)
	@$(TESTS) -m pytest tests/deploy -q -m deploy

test-image: image ## boot the image in QEMU with a TPM: measurements, evidence, refusals; needs no KVM and no TDX
	@$(TESTS) -m pytest tests/image -q -m image $(if $(ONLY),-k '$(ONLY)')

test-attacks: build ## the ways by which something else than what was measured could run (part of `make test`)
	@$(TESTS) -m pytest tests -q -m attack

test-reproducible: build ## build a second time, elsewhere, as somebody else, in another year: the same bytes
	@$(TESTS) -m pytest tests/release/test_reproducible.py

# Upstream runs on Python 3.11 and 3.12: the one that is not the usual one gets a build and a start of its own.
OTHER ?= python3.12
OTHERS := BUILD_DIR=$(CURDIR)/build/other DIST_DIR=$(CURDIR)/build/other/dist

test-python: ## build the release with OTHER= (default python3.12) in build/other, and start it once
	@exec $(MAKE) --no-print-directory build PYTHON=$(OTHER) $(OTHERS)
	@$(OTHERS) $(OTHER) scripts/bootstrap.py -- -m scripts try-release

lint: ## types and style of everything that is ours, and what its documents name (PART=mypy: only that)
	@$(TOOL) lint $(PART)

fuzz: ## random questions to both verifiers: N=20000 SEED=; shows where their answers differ
	@$(TESTS) -m tests.agreement --count $(or $(N),20000) $(if $(SEED),--seed $(SEED))

mutants: ## change one token at a time, and tell which test notices: COUNT=60 SEED=<default: this commit>
	@$(TESTS) -m tests.mutants --count $(or $(COUNT),60) --seed $(or $(SEED),$(shell git rev-parse HEAD))

unpatched: build ## take each of the backend's patches away, and see its attacks get through: PATCH=name.patch
	@$(TESTS) -m tests.unpatched $(if $(PATCH),--only $(PATCH))

advisories: ## known advisories of Open WebUI that have no row in docs/advisories.md
	@$(TOOL) advisories

bench: build ## the benchmarks of bench/ that take minutes, as ratios measured in one run
	@$(TOOL) bench

bench-build: build ## our build beside the documented procedure, both cold: ten minutes and more
	@$(TOOL) bench build

##@ To change it

edit: stage-fetch ## open PATCH=name.patch for editing in build/edit (a new name: a new patch)
	@$(TOOL) edit $(call given,PATCH)

refresh: ## write what was changed in build/edit back into PATCH=name.patch
	@$(TOOL) refresh $(call given,PATCH)

patch: stage-patch stage-web ## one patch file in dist/ for a checkout of Open WebUI, for the procedure by hand
	@$(TOOL) combined-patch

port: ## which patches fit SOURCE=, another upstream (folder or archive), and which hunks do not
	@$(TOOL) port --source $(call given,SOURCE)

check-patches: ## check the form of the patch queue, without upstream's source
	@$(TOOL) check-patches

lock: ## lock the environments of the build tool and the tests anew
	@$(TOOL) lock

lock-image: ## lock the Debian packages of the image anew, on a machine with Debian's apt
	@$(TOOL) lock-image

##@ Only one part of the build

fetch: stage-fetch ## only the pinned source of Open WebUI, compared by hash
frontend: stage-frontend ## only the frontend and what it needs
backend: stage-backend ## only the backend environment
plugin: stage-plugin ## only the plugin quote_generator

# One target a stage, with the order that scripts/stages/ declares (a test compares), so that `make -j2` works.
stages: stage-assemble
	@$(if $(SAY),echo '$(SAY)')
stage-patch: stage-fetch
stage-nodemodules: stage-patch
stage-frontend: stage-patch stage-web stage-nodemodules
stage-assemble: stage-patch stage-plugin stage-web stage-nodemodules stage-frontend stage-backend

$(STAGE_TARGETS): stage-%:
	@$(TOOL) $*
