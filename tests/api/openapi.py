"""api/openapi.yaml as a judge: does an exchange (method, path, status, headers, body) fit what it says?

Answers are held strictly: a member that the file does not name is a mismatch too, so that file and server cannot drift.
"""
import copy
import json
import pathlib
import re
import urllib.parse

import jsonschema
import yaml

FILE = pathlib.Path(__file__).resolve().parents[2] / "api" / "openapi.yaml"
METHODS = ("get", "head", "post", "put", "patch", "delete")


class Operation:
    def __init__(self, path, method, node, shared):
        self.id = node["operationId"]
        self.path, self.method, self.node = path, method.upper(), node
        self.tag = node["tags"][0]
        self.scope = node["x-scope"]
        self.parameters = shared + node.get("parameters", [])
        # Literal paths win over patterns: /events/stream over /events/{id}.
        self.rank = path.count("{")
        pattern = "".join("([^/]+)" if part.startswith("{") else re.escape(part) for part in re.split(r"(\{[^}]+\})", path))
        self.regex = re.compile(pattern + r"\Z")
        self.variables = re.findall(r"\{([^}]+)\}", path)


class Spec:
    def __init__(self, path=FILE):
        self.document = yaml.safe_load(pathlib.Path(path).read_text(encoding="utf-8"))
        self._strict = copy.deepcopy(self.document)
        _close_objects(self._strict["components"]["schemas"])
        self._resolvers = {id(doc): jsonschema.RefResolver("", doc) for doc in (self.document, self._strict)}
        self.operations = {}
        for url, item in self.document["paths"].items():
            shared = [self.resolve(p) for p in item.get("parameters", [])]
            for method in METHODS:
                if method in item:
                    node = dict(item[method])
                    node["parameters"] = [self.resolve(p) for p in node.get("parameters", [])]
                    operation = Operation(url, method, node, shared)
                    if operation.id in self.operations:
                        raise ValueError(f"two operations are called {operation.id}")
                    self.operations[operation.id] = operation

    def resolve(self, node, document=None):
        """The node itself, or what its $ref (within this file) points at."""
        while isinstance(node, dict) and "$ref" in node:
            target = document or self.document
            for part in node["$ref"].removeprefix("#/").split("/"):
                target = target[part]
            node = target
        return node

    def find(self, method, path):
        """The operation that a request belongs to, or None."""
        path = urllib.parse.urlsplit(path).path
        fitting = [o for o in self.operations.values() if o.method == method.upper() and o.regex.match(path)]
        return min(fitting, key=lambda o: o.rank, default=None)

    def methods(self, path):
        """The methods that a path has; empty: no such path."""
        path = urllib.parse.urlsplit(path).path
        return sorted(o.method for o in self.operations.values() if o.regex.match(path))

    def errors(self, schema, value, strict=False):
        """What is wrong with the value, as lines of text."""
        document = self._strict if strict else self.document
        if strict:
            schema = copy.deepcopy(schema)
            _close_objects(schema)
        validator = jsonschema.Draft202012Validator(schema, resolver=self._resolvers[id(document)],
                                                    format_checker=jsonschema.draft202012_format_checker)
        return [f"{error.json_path}: {_best(error)}" for error in validator.iter_errors(value)]

    def check_request(self, method, path, body=None):
        """Why a request is not one that the file allows; empty if it is."""
        operation = self.find(method, path)
        if operation is None:
            return [f"no operation {method} {path}"]
        problems = self._check_parameters(operation, path)
        wanted = self.resolve(operation.node.get("requestBody"))
        if wanted is None:
            return problems + (["a body, but the operation takes none"] if body else [])
        if "application/json" in wanted["content"]:
            schema = wanted["content"]["application/json"]["schema"]
            problems += [f"body{line[1:]}" for line in self.errors(schema, body)]
        return problems

    def _check_parameters(self, operation, path):
        parts = urllib.parse.urlsplit(path)
        given = dict(zip(operation.variables, map(urllib.parse.unquote, operation.regex.match(parts.path).groups())))
        query = urllib.parse.parse_qs(parts.query, keep_blank_values=True)
        known = {p["name"]: p for p in operation.parameters if p["in"] in ("path", "query")}
        problems = [f"unknown query parameter {name}" for name in query if known.get(name, {}).get("in") != "query"]
        for name, parameter in known.items():
            values = [given[name]] if parameter["in"] == "path" else query.get(name)
            if values is None:
                problems += [f"query parameter {name} is missing"] if parameter.get("required") else []
                continue
            value = values if self.resolve(parameter["schema"]).get("type") == "array" else values[0]
            problems += [f"{name}{line[1:]}" for line in self.errors(parameter["schema"], self._typed(parameter, value))]
        return problems

    def _typed(self, parameter, value):
        if self.resolve(parameter["schema"]).get("type") == "integer" and re.fullmatch(r"-?[0-9]+", value):
            return int(value)
        return value

    def check_answer(self, method, path, status, headers, body):
        """Why an answer is not one that the file allows; empty if it is. `headers`: any mapping; `body`: bytes."""
        headers = {name.lower(): value for name, value in dict(headers).items()}
        operation = self.find(method, path)
        if operation is None:
            return self._check_stray(path, status, headers, body)
        answer = self.resolve(operation.node["responses"].get(str(status)))
        if answer is None:
            return [f"status {status} is not among {', '.join(operation.node['responses'])}"]
        problems = self._check_headers(answer, headers)
        content = answer.get("content")
        if method.upper() == "HEAD" or content is None:
            return problems + (["a body where there must be none"] if body else [])
        kind = headers.get("content-type", "").partition(";")[0].strip()
        if kind not in content:
            return problems + [f"Content-Type is {kind!r}, one of {', '.join(content)} is needed"]
        if kind == "application/json":
            problems += self._check_json(content[kind]["schema"], body)
        elif kind == "application/octet-stream" and status != 200 and not body:
            problems.append("an empty body")
        return problems

    def _check_headers(self, answer, headers):
        problems = []
        for name, node in answer.get("headers", {}).items():
            value = headers.get(name.lower())
            if value is None:
                problems += [f"header {name} is missing"] if node.get("required") else []
                continue
            problems += [f"header {name}{line[1:]}" for line in self.errors(node["schema"], self._typed(node, value))]
        return problems

    def _check_json(self, schema, body):
        try:
            value = json.loads(body)
        except ValueError as error:
            return [f"the body is no JSON: {error}"]
        return [f"body{line[1:]}" for line in self.errors(schema, value, strict=True)]

    def _check_stray(self, path, status, headers, body):
        """A path or method that the file does not have: 404, or 405 with Allow; the error's shape either way."""
        methods = self.methods(path)
        problems = []
        # Who has no token need not learn which paths exist.
        allowed = (401, 405 if methods else 404)
        if status not in allowed:
            problems.append(f"status {status}, {allowed[1]} is needed")
        if status == 405 and not set(methods) <= set(re.split(r",\s*", headers.get("allow", ""))):
            problems.append(f"Allow is {headers.get('allow')!r}, {', '.join(methods)} are needed")
        return problems + self._check_json({"$ref": "#/components/schemas/Error"}, body)

    def examples(self):
        """(where, schema, value) of each example of a JSON body in the file."""
        for operation in self.operations.values():
            bodies = {"request": operation.node.get("requestBody"), **operation.node["responses"]}
            for name, body in bodies.items():
                media = (self.resolve(body) or {}).get("content", {}).get("application/json")
                if media is None:
                    continue
                found = {key: self.resolve(e)["value"] for key, e in media.get("examples", {}).items()}
                if "example" in media:
                    found["example"] = media["example"]
                for key, value in found.items():
                    yield f"{operation.id} {name} {key}", media["schema"], value

    def example(self, operation_id, status, name=None):
        """One example of an answer's body, as a Python value or text."""
        answer = self.resolve(self.operations[operation_id].node["responses"][str(status)])
        media = next(iter(answer.get("content", {}).values()), {})
        if "examples" in media:
            return copy.deepcopy(self.resolve(media["examples"][name or next(iter(media["examples"]))])["value"])
        return copy.deepcopy(media.get("example"))


def _close_objects(node):
    """Makes each object schema with named properties refuse others."""
    if isinstance(node, dict):
        if isinstance(node.get("properties"), dict) and node.get("type") == "object":
            node.setdefault("additionalProperties", False)
        for child in node.values():
            _close_objects(child)
    elif isinstance(node, list):
        for child in node:
            _close_objects(child)


def _best(error):
    """The most telling line: of alternatives, the one that got furthest."""
    if error.context:
        deepest = jsonschema.exceptions.best_match([error])
        return f"{deepest.json_path}: {deepest.message}" if deepest is not error else error.message
    return error.message if len(error.message) < 300 else error.message[:300] + "…"
