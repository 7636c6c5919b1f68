"""Arithmetic, without running anyone's code."""

import ast
import math
import operator
import re
from collections.abc import Callable
from typing import Annotated

from pydantic import Field

from harness.models import Effect
from harness.tools.errors import ToolError
from harness.tools.registry import example, tool

Number = int | float
MAX_DIGITS = 1000
MAX_POWER = 10_000
_BINARY: dict[type[ast.operator], Callable[[Number, Number], Number]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
_FUNCTIONS: dict[str, Callable[..., Number]] = {
    "sqrt": math.sqrt,
    "round": round,
    "abs": abs,
    "min": min,
    "max": max,
}


@tool(
    effect=Effect.READ,
    examples=[
        example("What is 17 times 23?", expression="17 * 23"),
        example("Calculate 15% of 80", expression="80 * 15 / 100"),
        example("Add up 12.50, 7.20 and 3", expression="12.50 + 7.20 + 3"),
        example("How much is 240 divided by 6?", expression="240 / 6"),
        example("compute (3 + 4) * 2", expression="(3 + 4) * 2"),
        example("What's the square root of 144", expression="sqrt(144)"),
        example("If one ticket costs 9 euros, what do 14 cost?", expression="9 * 14"),
        example("2 to the power of 10", expression="2 ** 10"),
    ],
)
def calculate(
    expression: Annotated[
        str,
        Field(description="Arithmetic as '80 * 15 / 100'", min_length=1, max_length=300),
    ],
) -> str:
    """Calculate the result of an arithmetic expression with numbers."""
    text = expression.replace("^", "**").replace("×", "*").replace("÷", "/")
    text = re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", text)  # between thousands
    try:
        result = _value(ast.parse(text.strip(), mode="eval").body)
        shown = f"{result:.12g}" if isinstance(result, float) else str(result)
        return f"{expression} = {shown}"
    except ZeroDivisionError:
        raise ToolError(f"{expression!r} divides by zero") from None
    except (SyntaxError, ValueError, OverflowError, TypeError, RecursionError, MemoryError):
        raise ToolError(f"{expression!r} is no arithmetic; write it as '80 * 15 / 100'") from None


def _value(node: ast.expr) -> Number:
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return _bounded(node.value)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        value = _value(node.operand)
        return -value if isinstance(node.op, ast.USub) else value
    if isinstance(node, ast.BinOp):
        return _bounded(_combine(node.op, _value(node.left), _value(node.right)))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
        function = _FUNCTIONS.get(node.func.id)
        if function is not None:
            return _bounded(function(*(_value(argument) for argument in node.args)))
    raise ValueError(ast.dump(node))


def _combine(op: ast.operator, left: Number, right: Number) -> Number:
    if isinstance(op, ast.Pow):
        # A tower of powers would take all time and memory there is.
        if abs(right) > MAX_POWER or abs(left) > MAX_POWER:
            raise ValueError("power out of bounds")
        result = left**right
        if isinstance(result, complex):
            raise ValueError("no real number")
        return result
    return _BINARY[type(op)](left, right)


def _bounded(value: Number) -> Number:
    if isinstance(value, int) and value.bit_length() > MAX_DIGITS * 4:
        raise ValueError("too many digits")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("no finite number")
    return value
