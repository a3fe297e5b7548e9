//! Examples, and what else the help of each command ends with. A test reads each example as a command line.

pub(crate) const RUN: &str = "\
Examples:
  pw-conform run                                    the whole catalog on the reference host
  pw-conform run http_fields --host envoy           one section on Envoy
  pw-conform run --host 'python3 my/adapter.py' --abi 0.2.1 --report mine.jsonl --junit mine.xml
  pw-conform run my-cases/ --host envoy             cases of your own
  pw-conform run --failed mine.jsonl -v             again what failed
  pw-conform run my-cases/ --variations             their plugins on every kind of host that is right";

pub(crate) const SDK: &str = "\
Examples:
  pw-conform sdk build/                             the plugins that are in a folder, on the reference host
  pw-conform sdk sdk.toml headers body              some plugins of a manifest
  pw-conform sdk sdk.toml --host envoy --report sdk-envoy.jsonl
  pw-conform sdk sdk.toml --variations              on every kind of host that is right: none may make a plugin trap
  pw-conform sdk sdk.toml --leaks                   10,000 times each, to find what grows

Exit codes: 0 nothing failed but what known.toml beside the manifest expects; 1 a plugin failed; 2 the harness or its input failed.";

pub(crate) const LIST: &str = "\
Examples:
  pw-conform list
  pw-conform list http_fields --json";

pub(crate) const EXPLAIN: &str = "\
Examples:
  pw-conform explain http_fields/get_value_missing_key
  pw-conform explain get_value_missing_key --host envoy --abi 0.2.0";

pub(crate) const CHECK: &str = "\
Examples:
  pw-conform check plugin.wasm
  pw-conform check *.wasm --json

An error is what a host refuses the module for; a warning is what else its author should know. A host that loads a module \
may still fail to start it.

Exit codes: 0 no errors; 1 a module has errors; 2 a file could not be read as a module.";

pub(crate) const TRY: &str = "\
Examples:
  pw-conform try plugin.wasm /path -H 'x-user: anna' --config config.json
  pw-conform try plugin.wasm -X POST -d 'a body' --trace
  pw-conform try --wasm-plugin wasm-plugin.yaml /path

Exit codes: 0 it ran; 1 a plugin faulted, or did not start; 2 a file or a flag is wrong.

The resources of --wasm-plugin make the chain that Istio would make for a request that is inbound to the port of its \
authority, or 80: phases AUTHN, AUTHZ, STATS, then the unspecified one; within a phase by priority, the highest first and \
none last, then by age and name. Their selectors are not evaluated: all are for this proxy.";

pub(crate) const INIT: &str = "\
Examples:
  pw-conform init adapter --lang python my-adapter
  pw-conform init sdk my-sdk";

pub(crate) const SMOKE: &str = "\
Example:
  pw-conform smoke --host 'python3 my-adapter/adapter.py'

Exit codes: 0 no check failed; 1 a check failed; 2 the command line is wrong.";

pub(crate) const FUZZ: &str = "\
Examples:
  pw-conform fuzz --for 5m --jobs 2
  pw-conform fuzz --host envoy --for 1m             compared with the reference host
  pw-conform fuzz --seed 7 --inputs 10000 --out finds

The same seed gives the same inputs. Each find is made small and written as a case file, which `pw-conform run FILE` \
runs again.

Exit codes: 0 nothing found; 1 finds; 2 the harness or its input failed; 130 interrupted.";

pub(crate) const SOAK: &str = "\
Examples:
  pw-conform soak --for 30s
  pw-conform soak --plugins 1000 --bad 100 --check --json";

pub(crate) const ABI: &str = "\
Examples:
  pw-conform abi
  pw-conform abi --abi 0.1.0 --json";

pub(crate) const COVERAGE: &str = "\
Examples:
  pw-conform coverage
  pw-conform coverage mine.jsonl --markdown
  pw-conform coverage --against spec/abi-versions/v0.2.1/README.md   what a newer text changes";

pub(crate) const REPORT: &str = "\
Example:
  pw-conform report reference.jsonl envoy.jsonl --out reports";

pub(crate) const SCHEMA: &str = "\
Examples:
  pw-conform schema protocol
  pw-conform schema case --markdown";

pub(crate) const COMPLETIONS: &str = "\
Example:
  pw-conform completions bash";

pub(crate) const MAN: &str = "\
Example:
  pw-conform man";
