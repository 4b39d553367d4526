#!/usr/bin/python3
"""api/openapi.yaml is well-formed, its examples fit its schemas, and the judge in openapi.py refuses what it must."""
import json
import pathlib
import re
import unittest

from openapi import Spec

ROOT = pathlib.Path(__file__).resolve().parents[2]
SPEC = Spec()
JSON = {"Content-Type": "application/json"}


def dump(value):
    return json.dumps(value).encode()


class TheFile(unittest.TestCase):
    def test_each_reference_leads_somewhere(self):
        text = json.dumps(SPEC.document)
        for reference in set(re.findall(r'"\$ref": "([^"]+)"', text)):
            self.assertIsNotNone(SPEC.resolve({"$ref": reference}), reference)

    def test_nothing_is_defined_and_not_used(self):
        text = json.dumps(SPEC.document)
        for kind, entries in SPEC.document["components"].items():
            for name in entries if kind != "securitySchemes" else ():
                self.assertIn(f'"#/components/{kind}/{name}"', text)

    def test_each_example_fits_its_schema_strictly(self):
        examples = list(SPEC.examples())
        self.assertGreater(len(examples), 50)
        for where, schema, value in examples:
            self.assertEqual(SPEC.errors(schema, value, strict=True), [], where)

    def test_each_schema_is_valid_json_schema(self):
        import jsonschema
        for name, schema in SPEC.document["components"]["schemas"].items():
            with self.subTest(name):
                jsonschema.Draft202012Validator.check_schema(schema)

    def test_each_operation_says_its_scope_and_its_refusals(self):
        scopes = {"read", "devices", "releases", "campaigns", "tokens", "admin", "any", "none"}
        for operation in SPEC.operations.values():
            answers = set(operation.node["responses"])
            self.assertIn(operation.scope, scopes, operation.id)
            if operation.scope != "none":
                self.assertLessEqual({"400", "401", "429", "503"}, answers, operation.id)
            if operation.scope not in ("none", "any"):
                self.assertIn("403", answers, operation.id)
            if operation.variables:
                self.assertIn("404", answers, operation.id)
            if "requestBody" in operation.node:
                self.assertLessEqual({"400", "413", "415"}, answers, operation.id)

    def test_errors_use_the_numbered_reasons(self):
        text = (ROOT / "base" / "reasons.def").read_text(encoding="utf-8")
        reasons = {int(code): name for code, name in re.findall(r'PAWL_REASON\((\d+), \w+, "([^"]+)"', text)}
        seen = 0
        for where, _, value in SPEC.examples():
            if isinstance(value, dict) and "error" in value:
                self.assertEqual(reasons[value["error"]["code"]], value["error"]["reason"], where)
                seen += 1
        self.assertGreater(seen, 50)


class TheJudge(unittest.TestCase):
    def judge(self, method, path, status, body, headers=None):
        return SPEC.check_answer(method, path, status, headers or JSON, body)

    def test_a_genuine_answer_passes(self):
        self.assertEqual(self.judge("GET", "/api/v1/devices/dev-0001", 200, dump(SPEC.example("getDevice", 200))), [])

    def test_a_literal_path_wins_over_a_pattern(self):
        self.assertEqual(SPEC.find("GET", "/api/v1/events/stream?after=3").id, "streamEvents")

    def test_a_missing_member_is_named(self):
        device = SPEC.example("getDevice", 200)
        del device["health"]
        self.assertIn("health", " ".join(self.judge("GET", "/api/v1/devices/x", 200, dump(device))))

    def test_a_member_that_the_file_does_not_name_is_refused_at_any_depth(self):
        device = SPEC.example("getDevice", 200)
        device["running"][0]["colour"] = "red"
        self.assertIn("colour", " ".join(self.judge("GET", "/api/v1/devices/x", 200, dump(device))))

    def test_a_wrong_type_inside_an_alternative_is_named(self):
        device = SPEC.example("getDevice", 200)
        device["job"]["n"] = "17"
        self.assertIn("'17'", " ".join(self.judge("GET", "/api/v1/devices/x", 200, dump(device))))

    def test_an_undocumented_status_is_refused(self):
        self.assertIn("status 418", self.judge("GET", "/api/v1/devices", 418, b"{}")[0])

    def test_an_error_without_a_remedy_is_refused(self):
        body = {"error": {"code": 105, "reason": "not found", "message": "no", "devices": []}}
        self.assertIn("remedy", self.judge("GET", "/api/v1/devices/x", 404, dump(body))[0])

    def test_a_wrong_content_type_is_refused(self):
        problems = self.judge("GET", "/api/v1/version", 200, b"{}", {"Content-Type": "text/html"})
        self.assertIn("Content-Type", problems[0])

    def test_a_missing_or_malformed_header_is_refused(self):
        path = "/artifacts/v1/" + "a" * 64
        headers = {"Content-Type": "application/octet-stream", "Accept-Ranges": "bytes", "Content-Length": "1", "ETag": "unquoted"}
        problems = " ".join(self.judge("GET", path, 206, b"x", headers))
        self.assertIn("Content-Range is missing", problems)
        self.assertIn("ETag", problems)

    def test_a_body_of_a_bodyless_answer_is_refused(self):
        self.assertNotEqual(self.judge("DELETE", "/api/v1/tokens/x", 204, b"{}"), [])
        self.assertEqual(self.judge("DELETE", "/api/v1/tokens/x", 204, b""), [])

    def test_an_unknown_path_and_method_are_judged(self):
        error = dump(SPEC.example("getDevice", 404))
        self.assertEqual(self.judge("GET", "/api/v1/nothing", 404, error), [])
        self.assertNotEqual(self.judge("GET", "/api/v1/nothing", 200, b"{}"), [])
        self.assertEqual(self.judge("PUT", "/api/v1/version", 405, error, {**JSON, "Allow": "GET"}), [])
        self.assertIn("Allow", self.judge("PUT", "/api/v1/version", 405, error)[0])

    def test_requests_are_judged_too(self):
        good = SPEC.resolve(SPEC.document["components"]["examples"]["NewCampaign"])["value"]
        self.assertEqual(SPEC.check_request("POST", "/api/v1/campaigns", good), [])
        self.assertNotEqual(SPEC.check_request("POST", "/api/v1/campaigns", {**good, "filters": {}}), [])
        both = {**good, "targets": {"devices": ["a"], "filter": {}}}
        self.assertNotEqual(SPEC.check_request("POST", "/api/v1/campaigns", both), [])
        self.assertIn("limt", SPEC.check_request("GET", "/api/v1/devices?limt=3")[0])
        self.assertNotEqual(SPEC.check_request("GET", "/api/v1/devices?limit=5000"), [])
        self.assertNotEqual(SPEC.check_request("GET", "/api/v1/devices/UPPER"), [])
        self.assertEqual(SPEC.check_request("GET", "/api/v1/devices?attribute=site:berlin&attribute=zone:1"), [])


if __name__ == "__main__":
    unittest.main()
