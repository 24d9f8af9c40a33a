"""The requests that can be made of a run: one table for the server, its checks and its OpenAPI."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lowerbound.errors import SettingError, UnknownNameError
from lowerbound.web.bodies import ARROW, NPY

Json = Mapping[str, Any]


@dataclass(frozen=True)
class Argument:
    """One value of a request.

    Attributes:
        schema: Of its type, as OpenAPI has it.
        about: One sentence.
        required: Whether a request must give it.
    """

    schema: Json
    about: str
    required: bool = False


@dataclass(frozen=True)
class Route:
    """A use of the run.

    Attributes:
        name: Of the method of `Service`, and of the path below /api.
        about: One sentence.
        arguments: By name.
        answer: Fields of the answer, by name, in words.
    """

    name: str
    about: str
    answer: Mapping[str, str]
    arguments: Mapping[str, Argument] = field(default_factory=dict)

    @property
    def path(self) -> str:
        """Where it is."""
        return f"/api/{self.name}"

    @property
    def method(self) -> str:
        """GET where nothing is given, else POST."""
        return "POST" if self.arguments else "GET"

    @property
    def rows(self) -> str | None:
        """The argument that an array or a table may be given for, in the body's place."""
        return next((name for name in ("examples", "latents") if name in self.arguments), None)

    def is_words(self, name: str) -> bool:
        """Whether an argument is a string, which stands in an address as it is."""
        return name in self.arguments and self.arguments[name].schema["type"] == "string"

    def check(self, body: Any) -> dict[str, Any]:
        """Return the arguments of a request.

        Raises:
            SettingError: One is missing or of another type.
            UnknownNameError: There is no such argument.
        """
        if not isinstance(body, dict):
            raise SettingError("a request is a JSON object of arguments")
        for name, value in body.items():
            if name not in self.arguments:
                raise UnknownNameError("argument", str(name), self.arguments)
            kinds = _PYTHON[self.arguments[name].schema["type"]]
            if isinstance(value, bool) != (bool in kinds) or not isinstance(value, kinds):
                wanted = self.arguments[name].schema["type"]
                raise SettingError(f"{name} is of type {wanted}, got {type(value).__name__}")
        for name, argument in self.arguments.items():
            if argument.required and name not in body:
                raise SettingError(f"{name} is missing: {argument.about}")
        return body


_PYTHON: dict[str, tuple[type, ...]] = {
    "integer": (int,), "number": (int, float), "boolean": (bool,), "array": (list,),
    "string": (str,),
}  # fmt: skip
_EXAMPLES = Argument(
    {"type": "array", "items": {}, "minItems": 1},
    "Examples: objects by column names, texts, or nested lists of numbers; null is a gap.",
    required=True,
)
_LATENTS = Argument(
    {"type": "array", "items": {"type": "array", "items": {"type": "number"}}, "minItems": 1},
    "Latents, a list of numbers for each example.",
    required=True,
)
_COUNT = Argument({"type": "integer", "minimum": 1, "default": 1}, "How many examples.")
_SEED = Argument({"type": "integer", "minimum": 0}, "Of the draws; a fresh one if left out.")
_DRAW = Argument({"type": "boolean"}, "Draw x from p(x|z), or give its mean.")
_TEMPERATURE = Argument(
    {"type": "number", "exclusiveMinimum": 0, "default": 1},
    "Factor on the spread of p(z); of texts and tunes, what the logits are divided by.",
)
_WHERE = Argument(
    {"type": "array", "items": {"type": "string"}, "minItems": 1},
    "Of a table: conditions such as town=Bern|Chur, age=30..40, pay=NA.",
)
_CONDITION = Argument({"type": "string"}, "Told to a conditional model, such as class=Bag.")
_SAMPLES = Argument({"type": "integer", "minimum": 1, "default": 100}, "Draws of z.")
_DRAWS = Argument({"type": "integer", "minimum": 1, "default": 6}, "Completions of each.")

ROUTES: tuple[Route, ...] = (
    Route("about", "Describe the run.", {"data": "Its data in words.", "schema": "The schema."}),
    Route(
        "generate", "Draw new examples from the model.", {"examples": "New examples."},
        {"count": _COUNT, "seed": _SEED, "draw": _DRAW, "temperature": _TEMPERATURE,
         "where": _WHERE, "condition": _CONDITION},
    ),
    Route(
        "encode", "Encode examples: the centres of q(z|x).", {"latents": "One list an example."},
        {"examples": _EXAMPLES},
    ),
    Route(
        "decode", "Decode latents.", {"examples": "Examples in the units of the data."},
        {"latents": _LATENTS, "draw": _DRAW, "seed": _SEED, "condition": _CONDITION},
    ),
    Route(
        "reconstruct", "Encode examples and decode them again.", {"examples": "As they come back."},
        {"examples": _EXAMPLES},
    ),
    Route(
        "score", "Bound log p(x) of each example from below.",
        {"elbo": "Nats.", "log_likelihood": "Nats, by importance weighting."},
        {"examples": _EXAMPLES, "samples": _SAMPLES},
    ),
    Route(
        "impute", "Complete examples that have gaps.",
        {
            "examples": "Without gaps: the most likely or mean values.",
            "completions": "Of each example, several draws.",
            "spread": "Of each gap, its standard deviation, or the chance of another word.",
        },
        {"examples": _EXAMPLES, "draws": _DRAWS, "draw": _DRAW, "seed": _SEED},
    ),
)  # fmt: skip


def _places(about: str) -> Argument:
    items = {"type": "integer", "minimum": 0}
    return Argument({"type": "array", "items": items, "minItems": 1}, about, required=True)


#: Routes that the page alone asks.
PAGE_ROUTES: tuple[Route, ...] = (
    Route("map", "Place all examples in a plane.", {"points": "Two numbers an example."}),
    Route(
        "example", "Return an example of the data shown.", {"example": "As it is."},
        {"index": Argument({"type": "integer", "minimum": 0}, "Which, from 0.", required=True)},
    ),
    Route(
        "nearest", "Find the examples nearest to a place.", {"indices": "Nearest first."},
        {
            "latents": Argument(
                {"type": "array", "items": {"type": "number"}}, "The place.", required=True
            )
        },
    ),
    Route(
        "shares", "Say of each cell how odd it is.", {"shares": "Nats, by cell."},
        {"indices": _places("Which examples, from 0.")},
    ),
    Route(
        "apart", "Tell two groups of examples apart.",
        {"units": "Those that differ most first.", "effects": "Difference over spread of each.",
         "vector": "From the first group to the second."},
        {"first": _places("Examples of one group."), "second": _places("Of the other.")},
    ),
    Route("odd", "Order examples by their score, the oddest first.", {"indices": "Oddest first."}),
    Route(
        "colour", "Say of each example its score or its rate.", {"values": "Nats, by example."},
        {"name": Argument({"type": "string"}, "score or rate.", required=True)},
    ),
)  # fmt: skip


def openapi(routes: tuple[Route, ...] = ROUTES) -> dict[str, Any]:
    """Describe all routes as OpenAPI 3.1 does."""
    paths: dict[str, Any] = {}
    for route in routes:
        answer = {
            "type": "object",
            "properties": {name: {"description": words} for name, words in route.answer.items()},
        }
        operation: dict[str, Any] = {
            "summary": route.about,
            "operationId": route.name.replace("/", "-"),
            "responses": {
                "200": {"description": "Done.", "content": _json(answer)},
                **{
                    status: {"description": words, "content": _json(_ERROR)}
                    for status, words in _REFUSALS.items()
                },
            },
        }
        if route.arguments:
            body = {
                "type": "object",
                "additionalProperties": False,
                "properties": {
                    name: {**one.schema, "description": one.about}
                    for name, one in route.arguments.items()
                },
                "required": [name for name, one in route.arguments.items() if one.required],
            }
            binary = {NPY: {}, ARROW: {}} if route.rows else {}
            operation["requestBody"] = {"required": True, "content": {**_json(body), **binary}}
        paths[route.path] = {route.method.lower(): operation}
    return {"openapi": "3.1.0", "info": {"title": "lowerbound", "version": "1"}, "paths": paths}


_REFUSALS = {
    "400": "The body is not of its type, or the request is none of HTTP.",
    "401": "The token is missing.",
    "403": "Of another site.",
    "413": "The body is too large.",
    "422": "It cannot be used; says why.",
    "503": "Too many requests, or no answer in time.",
}
_ERROR = {"type": "object", "properties": {"error": {"type": "string"}}, "required": ["error"]}


def _json(schema: Json) -> Json:
    return {"application/json": {"schema": schema}}
