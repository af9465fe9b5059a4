"""openapi.yaml and the server say the same."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from server import ROOT
from wire import PROBLEM_PREFIX

SCHEMA = ROOT / "openapi.yaml"
SECONDS = int(os.environ.get("VORTEX_E2E_OPENAPI_SECONDS", "60"))


@pytest.fixture(scope="module")
def schema():
    return yaml.safe_load(SCHEMA.read_text())


def test_it_is_openapi_3_1_and_names_the_routes(schema):
    assert schema["openapi"].startswith("3.1")
    for path in ("/v1/objects/{bucket}", "/v1/objects/{bucket}/{key}", "/v1/buckets", "/v1/buckets/{bucket}", "/v1/uploads",
                 "/v1/uploads/{id}", "/v1/uploads/{id}/complete", "/v1/status", "/v1/placement/{bucket}/{key}",
                 "/v1/health/live", "/v1/health/ready", "/v1/metrics"):
        pattern = path.replace("{id}", "{upload}")
        assert path in schema["paths"] or pattern in schema["paths"], (path, list(schema["paths"]))


def test_every_method_of_a_path_is_served_and_no_other(server, bucket, schema):
    for path, item in schema["paths"].items():
        concrete = path.replace("{bucket}", bucket).replace("{key}", "k").replace("{id}", "0" * 32).replace("{upload}", "0" * 32)
        documented = {name.upper() for name in item} & {"GET", "PUT", "POST", "DELETE", "PATCH", "HEAD"}
        if path == "/v1/buckets/{bucket}":
            documented.discard("DELETE")  # would remove the test's bucket
            assert server.call("PATCH", concrete).status == 405
        for method in documented:
            assert server.call(method, concrete, headers={"Upload-Offset": "0"}).status != 405, (method, path)
        for method in {"GET", "PUT", "POST", "DELETE", "PATCH"} - {name.upper() for name in item}:
            assert server.call(method, concrete).status == 405, (method, path)
        server.create_bucket(bucket)


def test_every_operation_documents_its_errors_as_problems(schema):
    for path, item in schema["paths"].items():
        for method, operation in item.items():
            if method not in ("get", "put", "post", "delete", "patch") or "health" in path:
                continue
            codes = set(operation["responses"])
            assert "default" in codes or any(code.startswith("4") for code in codes), (method, path)
    assert PROBLEM_PREFIX.rstrip("/") in SCHEMA.read_text() or "problem+json" in SCHEMA.read_text()


@pytest.mark.timeout(SECONDS * 3 + 120)
def test_schemathesis_finds_no_contradiction(server, seed, scratch):
    server.create_bucket("openapi")
    program = Path(sys.executable).with_name("schemathesis")
    if not program.exists():
        pytest.skip("schemathesis is not installed beside this Python")
    checks = ["not_a_server_error", "status_code_conformance", "content_type_conformance",
              "response_headers_conformance", "response_schema_conformance"]
    done = subprocess.run(
        [str(program), "run", str(SCHEMA), "--url", server.url, "--max-time", str(SECONDS), "--seed", str(seed),
         "--checks", ",".join(checks), "--phases", "examples,coverage,fuzzing", "--request-timeout", "20",
         "--suppress-health-check", "all", "--warnings", "off", "--continue-on-failure", "--no-color"],
        capture_output=True, text=True, cwd=scratch, timeout=SECONDS * 3 + 60)
    print(done.stdout[-1500:])
    assert done.returncode == 0, done.stdout[-12_000:] + done.stderr[-2000:]
