"""All operators: which have a rule, which are made of others, and which are refused and why."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from pullback_server.compute.formats.onnx.call import Rule
from pullback_server.compute.formats.onnx.operators import (
    activations,
    contraction,
    control,
    convolution,
    creation,
    elementwise,
    indexing,
    learning,
    normalization,
    pooling,
    recurrent,
    reductions,
    resizing,
    sampling,
    sequences,
    shapes,
)

GROUPS: Final[Mapping[str, Mapping[str, Rule]]] = MappingProxyType(
    {
        "Element by element": elementwise.OPERATORS,
        "Activations": activations.OPERATORS,
        "Reductions": reductions.OPERATORS,
        "Products and linear algebra": contraction.OPERATORS,
        "Convolutions": convolution.OPERATORS,
        "Pooling": pooling.OPERATORS,
        "Normalization": normalization.OPERATORS,
        "Recurrent layers": recurrent.OPERATORS,
        "Shapes": shapes.OPERATORS,
        "Gathering, scattering, selecting": indexing.OPERATORS,
        "Creation and conversion": creation.OPERATORS,
        "Resizing": resizing.OPERATORS,
        "Sampling": sampling.OPERATORS,
        "Control flow": control.OPERATORS,
        "Sequences": sequences.OPERATORS,
    }
)
RULES: Final[Mapping[str, Rule]] = MappingProxyType(
    {name: rule for group in GROUPS.values() for name, rule in group.items()}
)
LEARNING: Final[Mapping[str, Rule]] = learning.OPERATORS
"""Those of the domain `ai.onnx.ml`."""

EXPANDED: Final = (
    "AffineGrid",
    "Attention",
    "BlackmanWindow",
    "CausalConvWithState",
    "CenterCropPad",
    "HammingWindow",
    "HannWindow",
    "LinearAttention",
    "NegativeLogLikelihoodLoss",
    "RotaryEmbedding",
    "SoftmaxCrossEntropyLoss",
    "SwiGLU",
)
"""Those that ONNX itself defines by other operators; they are served by that definition."""

_QUANTIZED: Final = "computes with quantised numbers, which have no derivatives"
_DEQUANTIZE: Final = "export the model before it is quantised"
_RANDOM: Final = "is random, and a function is not"
_NOISE_AS_INPUT: Final = "make the noise an input of the model"
_OPEN: Final = "gives a number of elements that depends on values, and a compiled function has fixed shapes"
_CLOSE: Final = "leave it to the code after the model"
_TEXT: Final = "is for texts, which have no derivatives"
_BEFORE: Final = "leave it to the code before the model"
_UNSERVED: Final = "is not served"
_REWRITE: Final = "write it with other operators"

REFUSED: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "Bernoulli": (_RANDOM, _NOISE_AS_INPUT),
        "ConvInteger": (_QUANTIZED, _DEQUANTIZE),
        "DeformConv": (_UNSERVED, _REWRITE),
        "DequantizeLinear": (_QUANTIZED, _DEQUANTIZE),
        "DynamicQuantizeLinear": (_QUANTIZED, _DEQUANTIZE),
        "ImageDecoder": ("reads files of images", _BEFORE),
        "MatMulInteger": (_QUANTIZED, _DEQUANTIZE),
        "MaxRoiPool": (_UNSERVED, _REWRITE),
        "MelWeightMatrix": (_UNSERVED, "make its result a constant of the model"),
        "Multinomial": (_RANDOM, _NOISE_AS_INPUT),
        "NonMaxSuppression": (_OPEN, _CLOSE),
        "Optional": ("makes values that may be absent", "make the graph without them"),
        "OptionalGetElement": ("takes values that may be absent", "make the graph without them"),
        "OptionalHasElement": ("takes values that may be absent", "make the graph without them"),
        "QLinearConv": (_QUANTIZED, _DEQUANTIZE),
        "QLinearMatMul": (_QUANTIZED, _DEQUANTIZE),
        "QuantizeLinear": (_QUANTIZED, _DEQUANTIZE),
        "RandomNormal": (_RANDOM, _NOISE_AS_INPUT),
        "RandomNormalLike": (_RANDOM, _NOISE_AS_INPUT),
        "RandomUniform": (_RANDOM, _NOISE_AS_INPUT),
        "RandomUniformLike": (_RANDOM, _NOISE_AS_INPUT),
        "RegexFullMatch": (_TEXT, _BEFORE),
        "RoiAlign": (_UNSERVED, _REWRITE),
        "STFT": (_UNSERVED, "cut the signal into frames and use DFT"),
        "StringConcat": (_TEXT, _BEFORE),
        "StringNormalizer": (_TEXT, _BEFORE),
        "StringSplit": (_TEXT, _BEFORE),
        "TfIdfVectorizer": ("counts words and has no derivatives", _BEFORE),
        "Unique": (_OPEN, _CLOSE),
    }
)
"""What is refused by name: why, and what to do."""
