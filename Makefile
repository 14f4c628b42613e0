# PORT and DATA_DIR, DATABASE_URL and REDIS_URL are read from the environment or the command line:
#   make run PORT=8001 DATA_DIR=/tmp/second

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run test soak lint schema settings texts bench pictures lighthouse clean chromium env up down deploy backup restore replay test-stack lock

# A test run starts some 150 processes, and each would compile all sources anew.
unexport PYTHONDONTWRITEBYTECODE

PYTHON := .venv/bin/python
INSTALL := $(PYTHON) -m pip install --disable-pip-version-check --quiet
EMBEDDED := $(PYTHON) -m shop.local.embedded

help: ## list every target
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: .venv/.installed ## run the whole site on http://localhost:$PORT (8000), its data in $DATA_DIR (var/)
	@exec $(PYTHON) -m shop.local.supervisor --parent $$PPID \
	    --prepare "python manage.py prepare_development --demo"

# The linters need one core for a minute, in which the tests use the others. What they say is shown
# at the end. There are more processes than two cores, because many tests wait for servers. What
# fails beside the others is tried once more, alone.
test: .venv/.installed-dev chromium ## run the linters beside the whole suite; ARGS are passed to pytest
	@mkdir -p build; $(MAKE) --no-print-directory lint >build/lint.log 2>&1 & lint=$$!; \
	trap 'kill $$lint 2>/dev/null' EXIT; \
	$(PYTHON) -m pytest -n 4 --dist loadfile --no-loadscope-reorder $(ARGS); tested=$$?; \
	wait $$lint; linted=$$?; trap - EXIT; cat build/lint.log; \
	if [ $$tested = 1 ]; then $(PYTHON) -m tests.again $(ARGS); tested=$$?; fi; \
	exit $$((tested | linted))

soak: .venv/.installed-dev ## break a running site again and again under load; ARGS="--minutes 10"
	@exec $(EMBEDDED) $(PYTHON) -m tests.faults.soak $(ARGS)

lint: .venv/.installed-dev ## check style, imports, types, migrations and the production settings
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	.venv/bin/lint-imports --no-logo --no-cache
	ENVIRONMENT=development $(PYTHON) -m mypy .
	@ENVIRONMENT=development $(PYTHON) manage.py check_migrations
	@$(EMBEDDED) $(PYTHON) manage.py makemigrations --check --dry-run
	@secret() { $(PYTHON) -c 'import secrets; print(secrets.token_urlsafe(48))'; }; \
	env -u DATABASE_URL ENVIRONMENT=production DJANGO_SECRET_KEY="$$(secret)" \
	    DATA_KEYS="k0:$$(head -c 32 /dev/urandom | base64 | tr -d '\n')" \
	    POSTGRES_PASSWORD="$$(secret)" REDIS_URL="redis://:$$(secret)@redis:6379/0" \
	    SECRET_EMAIL_USER=shop SECRET_EMAIL_USER_PSWD="$$(secret)" \
	    $(PYTHON) manage.py check --deploy --fail-level WARNING

schema: .venv/.installed-dev ## write docs/openapi.json anew
	ENVIRONMENT=development $(PYTHON) manage.py spectacular --format openapi-json --file docs/openapi.json

settings: .venv/.installed-dev ## write the settings at run time into docs/settings.md and .env.example
	ENVIRONMENT=development $(PYTHON) manage.py document_settings

texts: .venv/.installed-dev ## collect the texts of the sources in locale/, and say which need a translation
	$(PYTHON) -m tests.texts

lock: .venv/.installed-dev ## write requirements.lock anew: everything that requirements.txt and its extra bring, with hashes
	$(PYTHON) -m uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	    --no-annotate --no-header --output-file requirements.lock requirements.txt
	$(PYTHON) -m uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	    --no-annotate --no-header --constraint requirements.lock \
	    --output-file requirements-s3.lock requirements-s3.txt
	$(PYTHON) -m uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	    --no-annotate --no-header --constraint requirements.lock \
	    --output-file requirements-kafka.lock requirements-kafka.txt

bench: .venv/.installed-bench ## run the benchmarks, print tables of ratios and put them into docs/performance.md
	@command -v wrk >/dev/null || { echo "The benchmarks need wrk: apt-get install wrk" >&2; exit 1; }
	@exec $(EMBEDDED) --durable $(PYTHON) -m benchmarks $(ARGS)

pictures: .venv/.installed-dev chromium ## take the pictures of README and docs anew, of a demo with 70 000 purchases
	@exec $(PYTHON) -m tests.browser.pictures

lighthouse: .venv/.installed-dev chromium ## measure pages with Lighthouse into docs/performance.md; needs Node.js
	@command -v npx >/dev/null || { echo "Lighthouse needs Node.js 18 or later: apt-get install npm" >&2; exit 1; }
	@exec $(PYTHON) -m tests.browser.lighthouse

env: ## write a fresh .env with random secrets for the stack of containers
	@python3 deploy/make_env.py

up: ## build the image and start the stack of containers that docker-compose.yml describes
	@exec python3 -m deploy.stack up

down: ## stop the stack of containers; its data stay
	@exec python3 -m deploy.stack down

deploy: ## build, migrate and replace the running containers without an outage
	@exec python3 -m deploy.stack deploy

backup: ## write the stack's database and statements to backups/
	@exec python3 -m deploy.stack backup

restore: ## fill an empty stack from FILE=backups/shop-….tar
	@exec python3 -m deploy.stack restore --file "$(FILE)"

replay: ## end a restore that was cut off, with the journals beside FILE=backups/shop-….tar
	@exec python3 -m deploy.stack replay --file "$(FILE)"

test-stack: .venv/.installed-dev ## try the stack of containers from outside; needs Docker; ARGS are passed to pytest
	@exec $(PYTHON) -m pytest -c tests/stack/pytest.ini --rootdir . tests/stack $(ARGS)

clean: ## delete what was installed and cached; the data in var/ stay
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis staticfiles build
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(PYTHON):
	@for candidate in python3 python3.13 python3.12 python3.11; do \
	    if $$candidate -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	        echo "Making .venv with $$($$candidate --version)"; \
	        rm -rf .venv; $$candidate -m venv .venv && exit; \
	        rm -rf .venv; uv venv --quiet --seed --python $$candidate .venv 2>/dev/null && exit; \
	        rm -rf .venv; exit 1; \
	    fi; \
	done; \
	echo "Python 3.11 or later is needed, and none was found." >&2; exit 1

.venv/.installed: requirements.txt requirements-local.txt | $(PYTHON)
	@echo "Installing requirements.txt and requirements-local.txt"
	@$(INSTALL) -r requirements.txt -r requirements-local.txt
	@touch $@

.venv/.installed-dev: requirements-dev.txt requirements.txt requirements-local.txt requirements-s3.txt requirements-kafka.txt requirements-parquet.txt | $(PYTHON)
	@echo "Installing requirements-dev.txt"
	@$(INSTALL) "$$(grep '^uv==' requirements-dev.txt)"
	@# uv takes half as long. It reads no configuration of pip, which may know the only index there is.
	@$(PYTHON) -m uv pip install --quiet --compile-bytecode --python $(PYTHON) -r requirements-dev.txt \
	    || $(INSTALL) -r requirements-dev.txt
	@touch .venv/.installed $@

.venv/.installed-bench: requirements-bench.txt .venv/.installed-dev | $(PYTHON)
	@echo "Installing requirements-bench.txt"
	@$(INSTALL) -r requirements-bench.txt
	@touch $@

# The engine without windows, which Debian has, needs a third less processor time.
chromium:
	@has() { for name in "$$@"; do if command -v $$name >/dev/null; then return 0; fi; done; return 1; }; \
	install() { apt-get install -qq -y --no-install-recommends $$1 >/dev/null 2>&1; }; \
	others="chromium chromium-browser google-chrome"; \
	if has chromium-headless-shell; then exit 0; fi; \
	if [ -z "$$CI" ] && has $$others; then exit 0; fi; \
	if [ "$$(id -u)" = 0 ] && has apt-get; then \
	    echo "Installing chromium for the browser tests"; \
	    apt-get update -qq; \
	    if install chromium-headless-shell; then exit 0; fi; \
	    if ! has $$others; then install chromium; fi; \
	fi; \
	if has $$others; then exit 0; fi; \
	echo "There is no chromium here, which the browser tests need." >&2
