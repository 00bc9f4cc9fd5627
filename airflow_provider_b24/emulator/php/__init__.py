"""How the server, which is written in PHP, reads parameters, casts values and refuses."""

from airflow_provider_b24.emulator.php.decoding import decode_json, decode_pairs, decode_query
from airflow_provider_b24.emulator.php.values import (
    array,
    is_array,
    is_numeric,
    iso,
    number,
    pairs,
    to_int,
    trim,
    truthy,
    upper_keys,
)

__all__ = [
    "array",
    "decode_json",
    "decode_pairs",
    "decode_query",
    "is_array",
    "is_numeric",
    "iso",
    "number",
    "pairs",
    "to_int",
    "trim",
    "truthy",
    "upper_keys",
]
