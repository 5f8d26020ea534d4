# SPDX-License-Identifier: Apache-2.0
"""compose/ fits together and fits the programs, as far as can be seen without an engine; tests/containers/run carries it out."""

import fnmatch
import ipaddress
import os
import re
import shutil
import stat
import subprocess
from configparser import ConfigParser

import pytest
import yaml

from harness.dashboards import asked, offered
from harness.stack import BIN, ROOT

COMPOSE = ROOT / "compose"
PROGRAMS = {"room": "waiting-room", "admission": "admission", "worker": "booking-worker", "notifier": "notifier"}
SERVERS = [f"{name}-{number}" for name in PROGRAMS for number in (1, 2)]


def load(name):
    return yaml.safe_load((COMPOSE / name).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def compose():
    return load("compose.yaml")


@pytest.fixture(scope="module")
def configuration():
    parser = ConfigParser(inline_comment_prefixes=(";",))
    parser.read(COMPOSE / "onsale.ini", encoding="utf-8")
    return parser


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """A copy of the folder in which ./prepare has been run."""
    folder = tmp_path_factory.mktemp("compose") / "in a folder"
    shutil.copytree(COMPOSE, folder, ignore=shutil.ignore_patterns("secrets", ".env"))
    subprocess.run([folder / "prepare", "shop.example.net"], check=True, capture_output=True, timeout=60)
    return folder


def mounts(service):
    return [each.split(":") for each in service.get("volumes", [])]


@pytest.mark.quick
def test_prepare_makes_what_compose_mounts_and_nothing_twice(compose, prepared):
    secrets = prepared / "secrets"
    assert stat.S_IMODE(secrets.stat().st_mode) == 0o700
    wanted = [each["file"] for each in compose["secrets"].values()]
    wanted += [source for service in compose["services"].values() for source, *_ in mounts(service) if source.startswith("./")]
    assert len(wanted) > 15
    assert [each for each in wanted if not (prepared / each).exists()] == []
    before = {path.name: path.read_bytes() for path in secrets.iterdir()}
    again = subprocess.run([prepared / "prepare", "other.example.net"], check=True, capture_output=True, text=True, timeout=60)
    assert again.stdout == "" and {path.name: path.read_bytes() for path in secrets.iterdir()} == before
    passwords = [before[name] for name in before if name.startswith("mysql_")]
    assert len(set(passwords)) == len(passwords) == 6 and all(re.fullmatch(rb"[0-9a-f]{48}", each) for each in passwords)
    # They are never part of a commit, nor of what the image is built from.
    ignored = subprocess.run(["git", "check-ignore", "-q", "compose/secrets/mysql_root"], cwd=ROOT, timeout=60)
    assert ignored.returncode == 0
    assert not kept_for_the_image("compose/secrets/mysql_root")


@pytest.mark.quick
def test_named_volumes_networks_and_dependencies_exist(compose):
    for name, service in compose["services"].items():
        for source, *_ in mounts(service):
            assert source.startswith("./") or source in compose["volumes"], (name, source)
        assert set(service["networks"]) <= set(compose["networks"]), name
        assert set(service.get("depends_on", [])) <= set(compose["services"]), name
        for each, condition in (service["depends_on"].items() if isinstance(service.get("depends_on"), dict) else ()):
            needed = compose["services"][each]
            if condition["condition"] == "service_healthy":
                assert "test" in needed["healthcheck"], (name, each)
            else:
                assert needed["restart"] == "no", (name, each)


@pytest.mark.quick
def test_each_service_gets_the_secrets_that_its_environment_names(compose):
    for name, service in compose["services"].items():
        named = [value for value in service.get("environment", {}).values() if str(value).startswith("/run/secrets/")]
        given = service.get("secrets", [])
        if name == "haproxy":
            assert given == ["tls_pem"] and "presetenv TLS_PEM /run/secrets/tls_pem\n" in (COMPOSE / "haproxy.cfg").read_text()
        else:
            assert sorted(named) == sorted(f"/run/secrets/{each}" for each in given), name
        assert set(given) <= set(compose["secrets"]), name
    with_root = [name for name, service in compose["services"].items() if "mysql_root" in service.get("secrets", [])]
    assert with_root == ["prepared", "mysql"]


def keys_of_programs():
    """All that may be set by the environment: docs/configuration.md, which test_docs.py holds against the programs."""
    keys, section = set(), None
    for line in (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8").splitlines():
        if match := re.match(r"## \[([a-z-]+)\]", line):
            section = match[1]
        elif section and line.startswith("| `"):
            keys |= {f"ONSALE_{section}_{key}".upper().replace("-", "_") for key in re.findall(r"`([a-z_]+)`", line.split("|")[1])}
    return keys


@pytest.mark.quick
@pytest.mark.parametrize("service", [*SERVERS, "prepared", "onsale"])
@pytest.mark.parametrize("cards", [False, True], ids=["at-the-door", "cards"])
def test_the_programs_take_the_configuration(compose, prepared, service, cards, tmp_path):
    described = compose["services"][service]
    keys = keys_of_programs()
    assert len(keys) > 40
    environment = {}
    for name, value in described["environment"].items():
        # One that no program knows would be passed over in silence.
        assert name.removesuffix("_FILE") in keys, name
        environment[name] = value.replace("/run/secrets", str(prepared / "secrets"))
    program = PROGRAMS.get(service.rpartition("-")[0])
    if program:
        assert described["command"] == [program]
        assert f"ONSALE_{program}_MYSQL_PASSWORD_FILE".upper().replace("-", "_") in environment
    text = (COMPOSE / "onsale.ini").read_text(encoding="utf-8")
    if cards:
        text = re.sub(r"^;(\[payment\]|[a-z_]+ =)", r"\1", text, flags=re.MULTILINE)
        assert "\n[payment]\nprovider = stripe\n" in text
        # Who has not got the keys must not miss them.
        if service in load("cards.yaml")["services"]:
            for each in ("stripe_key", "stripe_webhook_secret"):
                text = text.replace(f"/etc/onsale/{each}", str(tmp_path / each))
                (tmp_path / each).write_text("secret", encoding="ascii")
                (tmp_path / each).chmod(0o400)
    path = tmp_path / "onsale.ini"
    path.write_text(text, encoding="utf-8")
    done = subprocess.run([BIN / (program or "onsale"), "--config", path, "--check-config"],
                          env={"PATH": os.environ["PATH"], **environment}, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


@pytest.mark.quick
def test_for_cards_keys_and_a_way_out_are_added(compose, configuration):
    """Who reads the keys is in a network that leads out; nobody else is, and nobody by whose address HAProxy could be mistaken."""
    cards = load("cards.yaml")
    assert compose["networks"]["inside"]["internal"] is True
    assert set(cards["services"]) == {"room-1", "room-2", "worker-1", "worker-2", "onsale"}
    assert "internal" not in (cards["networks"]["provider"] or {}) and "provider" not in compose["networks"]
    assert "provider" not in compose["services"]["haproxy"]["networks"]
    ini = (COMPOSE / "onsale.ini").read_text(encoding="utf-8")
    files = sorted(re.findall(r"^;\w+_file = (\S+)", ini, re.MULTILINE))
    for service in cards["services"].values():
        assert set(service["networks"]) == {"inside", "provider"}
        assert sorted(target for _, target, mode in mounts(service) if mode == "ro") == files
    assert len(files) == 2


@pytest.mark.quick
def test_haproxy_s_address_is_its_own_and_trusted(compose, configuration):
    address = ipaddress.ip_address(compose["services"]["haproxy"]["networks"]["inside"]["ipv4_address"])
    assert configuration["waiting-room"]["trusted_proxies"] == str(address)
    (network,) = compose["networks"]["inside"]["ipam"]["config"]
    subnet, others = ipaddress.ip_network(network["subnet"]), ipaddress.ip_network(network["ip_range"])
    # Addresses are given in order of the starts, and HAProxy starts after the programs: without a range apart one of them has it by then.
    assert address in subnet and address not in others and others.subnet_of(subnet)


@pytest.mark.quick
def test_haproxy_takes_its_configuration_as_compose_gives_it(compose, prepared):
    haproxy = shutil.which("haproxy", path="/usr/sbin:/usr/bin:/sbin:/bin")
    environment = {name: re.sub(r"\$\{\w+:-(\w+)\}", r"\1", str(value))
                   for name, value in compose["services"]["haproxy"]["environment"].items()}
    assert environment == {"DOCUMENT_CACHE": "nginx:8080", "HTTPS_PORT": "443"}
    environment["TLS_PEM"] = str(prepared / "secrets" / "tls.pem")
    done = subprocess.run([haproxy, "-c", "-f", COMPOSE / "haproxy.cfg"], env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    # The cache's way back comes in at the port that nginx has been given.
    nginx = compose["services"]["nginx"]["environment"]
    text = (COMPOSE / "haproxy.cfg").read_text(encoding="utf-8")
    assert nginx["ORIGIN"] == "haproxy:8081" and "presetenv ORIGIN_BIND :8081\n" in text and nginx["CACHE_BIND"] == "8080"
    published = [each.rpartition(":")[2] for each in compose["services"]["haproxy"]["ports"]]
    assert published == ["8443", "8080"] and "presetenv TLS_BIND :8443\n" in text and "presetenv PLAIN_BIND :8080\n" in text


@pytest.mark.quick
def test_prometheus_asks_every_program_at_its_port(compose, configuration):
    targets = {job["job_name"]: job["static_configs"][0]["targets"] for job in load("prometheus.yml")["scrape_configs"]}
    wanted = {program: [f"{name}-{number}:{configuration['ops'][program.replace('-', '_') + '_listen'].rpartition(':')[2]}" for number in (1, 2)]
              for name, program in PROGRAMS.items()}
    assert targets == wanted | {"haproxy": ["haproxy:8404"]}
    assert "presetenv METRICS_BIND :8404\n" in (COMPOSE / "haproxy.cfg").read_text(encoding="utf-8")
    healthcheck = (COMPOSE / "healthcheck").read_text(encoding="utf-8")
    assert all(target.rpartition(":")[2] in healthcheck for each in wanted.values() for target in each)


def test_what_the_dashboards_ask_for_exists(stack_factory):
    """Of the programs; for HAProxy see test_proxy.py."""
    stack = stack_factory().start(workers=1, notifiers=1)
    there = {}
    for program in stack.programs:
        for name, labels in offered(program.ops("/metrics")[1]).items():
            there.setdefault(name, set()).update(labels)
    wanted = {name: labels for name, labels in asked().items() if not name.startswith("haproxy_")}
    assert len(wanted) > 10 and {name.partition("_")[0] for name in wanted} == {"onsale"}
    missing = {name: labels for name, labels in wanted.items() if name not in there or not labels <= there[name]}
    assert not missing


# The image

def dockerfile():
    return (COMPOSE / "Dockerfile").read_text(encoding="utf-8")


def kept_for_the_image(path):
    """Whether Dockerfile.dockerignore leaves the file in the context: the last pattern that matches decides."""
    kept = True
    for line in (COMPOSE / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines():
        pattern = line.strip().removeprefix("!")
        if pattern and not pattern.startswith("#") and (fnmatch.fnmatchcase(path, pattern) or path.startswith(f"{pattern}/")):
            kept = line.startswith("!")
    return kept


@pytest.mark.quick
def test_the_image_has_the_libraries_of_the_programs_and_nothing_to_build_with():
    runtime = dockerfile().rpartition("FROM ")[2]
    installed = set(re.search(r"--no-install-recommends \\\n(.*?)\\\n", runtime, re.DOTALL)[1].split())
    needed = set()
    for program in (*PROGRAMS.values(), "onsale"):
        dynamic = subprocess.run(["readelf", "-d", BIN / program], check=True, capture_output=True, text=True, timeout=60).stdout
        needed |= set(re.findall(r"\(NEEDED\)\s+Shared library: \[(.+?)\]", dynamic))
    # Only what the release is linked with: sanitizers bring libraries of their own.
    needed = {each for each in needed if not re.match(r"lib(asan|ubsan|tsan)\.", each)}
    packages = set()
    for library in needed:
        owner = subprocess.run(["dpkg", "-S", f"*/{library}"], check=True, capture_output=True, text=True, timeout=60).stdout
        packages.add(re.match(r"[^:,]+", owner)[0])
    assert len(needed) > 8 and packages - installed - {"libc6", "libgcc-s1"} == set()
    assert not any(re.search(r"^(gcc|make|.*-dev)$", each) for each in installed)
    assert "USER 10001:10001\n" in runtime and "HEALTHCHECK " in runtime


@pytest.mark.quick
def test_what_the_image_is_built_from_suffices(tmp_path):
    """Of the files under version control those that .dockerignore leaves."""
    files = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True, timeout=60).stdout.split("\0")
    kept = [each for each in files if each and kept_for_the_image(each)]
    assert "Makefile" in kept and not any(each.startswith(("tests/", ".ci")) for each in kept)
    for each in kept:
        (tmp_path / each).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / each, tmp_path / each)
    for source in re.findall(r"^COPY (?:--chmod=\d+ )?(?!--from)(\S+) ", dockerfile(), re.MULTILINE):
        assert (tmp_path / source).exists(), source
    done = subprocess.run(["make", "-n", "install", f"DESTDIR={tmp_path}/installed"], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
