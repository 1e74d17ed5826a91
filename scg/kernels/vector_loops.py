"""Loops over strided memory written as LLVM vector code: what a fused region of a program becomes.

A *task* computes some units of a region: `task(begin, end, row)`, with sizes, addresses and strides
in `row`, so that regions that differ in these alone share one function. There are two forms:

- **rows**: a unit is one row (or a segment of one). The loop runs along it a vector at a time; what
  is reduced is added lane by lane and across the lanes at the end.
- **columns**: a unit is a vector's width of columns. The loop runs down the rows; what is reduced
  stays in its lane.

Either may loop several times: what needs a finished sum comes in the next loop. Nothing depends on
how units are divided among threads, and sums are added in blocks of 16 vectors, in a fixed order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from scg._typing import DType
from scg.kernels._jit import cgutils, ir
from scg.kernels.vector_spec import Spec, arguments, dtypes, inner, moves, phases
from scg.kernels.vectors import BOOL, Code, Vector, element, evaluate, joined, letter

__all__ = ["NAME", "write"]

NAME = "scg_task"
BLOCK = 16
I64 = ir.IntType(64)


def write(spec: Spec) -> Any:
    """Return an LLVM module with the task of a region under `NAME`."""
    module = ir.Module("scg")
    kind = ir.FunctionType(ir.VoidType(), [I64, I64, I64.as_pointer()])
    function = ir.Function(module, kind, NAME)
    builder = ir.IRBuilder(function.append_basic_block())
    _Task(spec, builder).write()
    builder.ret_void()
    return module


class _Task:
    """One task while it is written."""

    def __init__(self, spec: Spec, builder: Any) -> None:
        self.spec, self.builder = spec, builder
        self.code = Code(builder, spec.lanes)
        self.row = {
            field: builder.load(builder.gep(builder.function.args[2], [I64(i)]))
            for i, field in enumerate(spec.fields())
        }
        self.inner = inner(spec)
        self.phases, self.dtypes = phases(spec), dtypes(spec)
        self.outer: dict[int, Vector] = {}
        self.lane_numbers = ir.Constant(ir.VectorType(I64, spec.lanes), list(range(spec.lanes)))

    # --- small arithmetic on indices --------------------------------------------------------

    def add(self, *terms: Any) -> Any:
        total = terms[0]
        for term in terms[1:]:
            total = self.builder.add(total, term)
        return total

    def times(self, a: Any, b: Any) -> Any:
        return self.builder.mul(a, b)

    def least(self, a: Any, b: Any) -> Any:
        return self.builder.select(self.builder.icmp_signed("<", a, b), a, b)

    def pieces(self, n: Any, size: int) -> Any:
        return self.builder.sdiv(self.add(n, I64(size - 1)), I64(size))

    def _split(self, u: Any, count: Any) -> tuple[Any, Any]:
        return self.builder.udiv(u, count), self.builder.urem(u, count)

    @contextmanager
    def loop(self, start: Any, stop: Any, step: int) -> Iterator[Any]:
        with cgutils.for_range_slice(self.builder, start, stop, I64(step)) as (index, _):
            yield index

    def mask(self, room: Any) -> Any:
        """Return which lanes are among the first `room`."""
        everywhere = ir.Constant(self.lane_numbers.type, ir.Undefined)
        first = self.builder.insert_element(everywhere, room, ir.IntType(32)(0))
        zeros = ir.Constant(ir.VectorType(ir.IntType(32), self.spec.lanes), [0] * self.spec.lanes)
        room = self.builder.shuffle_vector(first, everywhere, zeros)
        return self.builder.icmp_signed("<", self.lane_numbers, room)

    # --- the units --------------------------------------------------------------------------

    def write(self) -> None:
        begin, end, _ = self.builder.function.args
        with self.loop(begin, end, 1) as unit:
            self._unit(unit)

    def _unit(self, u: Any) -> None:
        spec, row = self.spec, self.row
        self.column = I64(0)
        self.column_mask = None
        if spec.columns:
            u, block = self._split(u, self.pieces(row["width", 0], spec.lanes))
            self.column = self.times(block, I64(spec.lanes))
            if spec.tail == "again":
                last = self.builder.sub(row["width", 0], I64(spec.lanes))
                self.column = self.least(self.column, last)
            elif spec.tail == "mask":
                self.column_mask = self.mask(row["width", 0])
        self.start, self.stop, segment = I64(0), row["loop", 0], I64(0)
        if spec.segment:
            u, segment = self._split(u, self.pieces(row["loop", 0], spec.segment))
            self.start = self.times(segment, I64(spec.segment))
            self.stop = self.least(self.stop, self.add(self.start, I64(spec.segment)))
        self.bases = self._bases(u, segment)
        self.outer = {}
        last = max(self.phases, default=0)
        for phase in range(last + 1):
            self._outer_nodes(phase)
            self._loops(phase)
        for node, access in spec.stores:
            if not self._is_inner(access):
                self._write(self.outer[node], access, None, self.column_mask)

    def _bases(self, u: Any, segment: Any) -> list[Any]:
        """Return where each access begins in this unit."""
        coordinates = []
        for axis in reversed(range(1, self.spec.rank)):
            u, at = self._split(u, self.row["size", axis])
            coordinates.append((axis, at))
        coordinates += [(0, u)] if self.spec.rank else []
        bases = []
        for i, access in enumerate(self.spec.accesses):
            terms = [self.row["address", i]]
            terms += [self.times(at, self.row[f"stride {axis}", i]) for axis, at in coordinates]
            if access.segment:
                terms.append(self.times(segment, self.row["segment", i]))
            if self.spec.columns and access.lane != "none":
                terms.append(self.times(self.column, self._lane_stride(i)))
            bases.append(self.add(*terms))
        return bases

    def _lane_stride(self, i: int) -> Any:
        access = self.spec.accesses[i]
        return self.row["lane", i] if access.lane == "any" else I64(np.dtype(access.dtype).itemsize)

    def _is_inner(self, i: int) -> bool:
        return moves(self.spec, self.spec.accesses[i])

    # --- memory -----------------------------------------------------------------------------

    def _place(self, i: int, index: Any) -> Any:
        """Return the address at a turn of the loop; of the first lane."""
        if index is None or not self._is_inner(i):
            return self.bases[i]
        stride = self.row["step", i] if self.spec.columns else self._lane_stride(i)
        return self.add(self.bases[i], self.times(index, stride))

    def _addresses(self, place: Any, i: int) -> Any:
        """Return the address of every lane, `any` stride apart."""
        stride = self.code.splat(self.row["lane", i], np.dtype(np.int64)).value
        first = self.code.splat(place, np.dtype(np.int64)).value
        places = self.builder.add(first, self.builder.mul(stride, self.lane_numbers))
        kind = element(np.dtype(self.spec.accesses[i].dtype), stored=True)
        pointers = ir.VectorType(kind.as_pointer(), self.spec.lanes)
        return self.builder.inttoptr(places, pointers)

    def _masked(self, what: str, kind: Any, pointer: Any, mask: Any, value: Any = None) -> Any:
        """Call one of LLVM's masked loads, stores, gathers and scatters."""
        true = ir.Constant(ir.VectorType(ir.IntType(1), self.spec.lanes), [1] * self.spec.lanes)
        mask = true if mask is None else mask
        name = f"v{self.spec.lanes}{letter(kind.element)}"
        places = f"v{self.spec.lanes}p0" if what in ("gather", "scatter") else "p0"
        align = ir.IntType(32)(1)
        loads = what in ("load", "gather")
        last = ir.Constant(kind, None)
        args = [pointer, align, mask, last] if loads else [value, pointer, align, mask]
        signature = ir.FunctionType(kind if loads else ir.VoidType(), [a.type for a in args])
        function = cgutils.get_or_insert_function(
            self.builder.module, signature, f"llvm.masked.{what}.{name}.{places}"
        )
        return self.builder.call(function, args)

    def _read(self, i: int, index: Any, mask: Any) -> Vector:
        access = self.spec.accesses[i]
        dtype, place = np.dtype(access.dtype), self._place(i, index)
        kind = self.code.type(dtype, stored=True)
        if access.lane == "none":
            pointer = self.builder.inttoptr(place, kind.element.as_pointer())
            value = self.builder.load(pointer, align=1)
            return self.code.splat(self._truth(value, dtype), dtype)
        if access.lane == "any":
            value = self._masked("gather", kind, self._addresses(place, i), mask)
        else:
            pointer = self.builder.inttoptr(place, kind.as_pointer())
            value = (
                self.builder.load(pointer, align=1) if mask is None
                else self._masked("load", kind, pointer, mask)
            )  # fmt: skip
        return Vector(self.code, self._truth(value, dtype), dtype)

    def _truth(self, value: Any, dtype: DType) -> Any:
        if dtype != BOOL:
            return value
        zero = ir.Constant(value.type, None if isinstance(value.type, ir.VectorType) else 0)
        return self.builder.icmp_unsigned("!=", value, zero)

    def _write(self, vector: Vector, i: int, index: Any, mask: Any) -> None:
        access = self.spec.accesses[i]
        dtype, place, value = np.dtype(access.dtype), self._place(i, index), vector.value
        kind = self.code.type(dtype, stored=True)
        if dtype == BOOL:
            value = self.builder.zext(value, kind)
        if access.lane == "none":
            first = self.builder.extract_element(value, ir.IntType(32)(0))
            pointer = self.builder.inttoptr(place, kind.element.as_pointer())
            self.builder.store(first, pointer, align=1)
        elif access.lane == "any":
            self._masked("scatter", kind, self._addresses(place, i), mask, value)
        elif mask is None:
            self.builder.store(value, self.builder.inttoptr(place, kind.as_pointer()), align=1)
        else:
            pointer = self.builder.inttoptr(place, kind.as_pointer())
            self._masked("store", kind, pointer, mask, value)

    # --- nodes ------------------------------------------------------------------------------

    def _outer_nodes(self, phase: int) -> None:
        """Compute, between two loops, what does not change along the loop."""
        for i, node in enumerate(self.spec.nodes):
            if self.phases[i] == phase and not self.inner[i] and node[0] != "reduce":
                self.outer[i] = self._value(node, self.outer, None, self.column_mask)

    def _value(self, node: Any, known: dict[int, Vector], index: Any, mask: Any) -> Vector:
        if node[0] == "load":
            return self._read(node[1], index, mask)
        if node[0] == "number":
            return self.code.constant(node[1], np.dtype(node[2]))
        if node[0] == "cast":
            return known[node[1]].astype(np.dtype(node[2]))
        _, text, functions, names, statics, dtype, args, _ = node
        values = {name: known[arg] for name, arg in zip(names, args, strict=True)}
        arithmetic = np.dtype(dtype)
        return evaluate(text, functions, self.code, arithmetic, {**dict(statics), **values})

    # --- loops ------------------------------------------------------------------------------

    def _loops(self, phase: int) -> None:
        nodes = self.spec.nodes
        reduces = [
            i for i, n in enumerate(nodes) if n[0] == "reduce" and self.phases[n[2]] == phase
        ]
        stores = [
            (node, access) for node, access in self.spec.stores
            if self._is_inner(access) and self.phases[node] == phase
        ]  # fmt: skip
        if not reduces and not stores:
            return
        needed = self._needed([nodes[i][2] for i in reduces] + [node for node, _ in stores], phase)
        self.scans = {
            i: self._cell(self.code.constant(_nothing(self.dtypes[i]), self.dtypes[i]))
            for i in needed if nodes[i][0] == "scan"
        }  # fmt: skip
        totals = {i: self._cell(self._start_of(i)) for i in reduces}

        def body(index: Any, memory: Any, new: Any, sums: dict[int, Any]) -> None:
            memory = self.column_mask if self.spec.columns else memory
            self._body(needed, phase, index, (memory, new), sums, stores)

        self._turns(body, totals)
        for i, cell in totals.items():
            total = Vector(self.code, self.builder.load(cell), self.dtypes[i])
            self.outer[i] = total if self.spec.columns else self._across(total, nodes[i][1])

    def _turns(self, body: Callable[..., None], totals: dict[int, Any]) -> None:
        """Write the loop, in blocks whose sums are added to those of the blocks before."""
        step = 1 if self.spec.columns else self.spec.lanes
        length = self.builder.sub(self.stop, self.start)
        tail = step > 1 and self.spec.tail != "none"
        rest = self.builder.srem(length, I64(step)) if tail else I64(0)
        whole = self.builder.sub(self.stop, rest)
        if totals:
            with self.loop(self.start, whole, step * BLOCK) as block:
                end = self.least(whole, self.add(block, I64(step * BLOCK)))
                self._block(body, totals, block, end, step)
        else:
            with self.loop(self.start, whole, step) as index:
                body(index, None, None, {})
        if tail:
            with self.builder.if_then(self.builder.icmp_signed(">", rest, I64(0))):
                if self.spec.tail == "mask":
                    mask = self.mask(rest)
                    body(whole, mask, mask, totals)
                else:
                    done = self.builder.not_(self.mask(self.builder.sub(I64(step), rest)))
                    body(self.builder.sub(self.stop, I64(step)), None, done, totals)

    def _block(
        self, body: Callable[..., None], totals: dict[int, Any], start: Any, stop: Any, step: int
    ) -> None:
        sums = {i: self._cell(self._start_of(i)) for i in totals}
        with self.loop(start, stop, step) as index:
            body(index, None, None, sums)
        for i, cell in sums.items():
            block = Vector(self.code, self.builder.load(cell), self.dtypes[i])
            self._accumulate(totals[i], i, block)

    def _body(
        self, needed: list[int], phase: int, index: Any, masks: tuple[Any, Any],
        sums: dict[int, Any], stores: list[tuple[int, int]],
    ) -> None:  # fmt: skip
        """Write one turn of the loop; masks tell the lanes that are there, and that are new."""
        nodes, known = self.spec.nodes, dict(self.outer)
        memory, new = masks
        for i in needed:
            if nodes[i][0] == "scan":
                self._accumulate(self.scans[i], i, known[nodes[i][1]], "sum")
                known[i] = Vector(self.code, self.builder.load(self.scans[i]), self.dtypes[i])
            elif (access := self._kept(i, phase)) is not None:
                known[i] = self._read(access, index, memory)
            else:
                known[i] = self._value(nodes[i], known, index, memory)
        for node, access in stores:
            self._write(known[node], access, index, memory)
        for i, cell in sums.items():
            value = known[nodes[i][2]]
            if new is not None:
                chosen = self.builder.select(new, value.value, self._start_of(i).value)
                value = Vector(self.code, chosen, value.dtype)
            self._accumulate(cell, i, value)

    def _kept(self, i: int, phase: int) -> int | None:
        """Return where an earlier loop stored a value that this one needs."""
        if self.phases[i] == phase or self.spec.nodes[i][0] == "load":
            return None
        places = [a for node, a in self.spec.stores if node == i and self._is_inner(a)]
        return places[0] if places else None

    def _needed(self, roots: list[int], phase: int) -> list[int]:
        """Return the nodes that a turn of the loop computes for `roots`, in order."""
        needed: set[int] = set()
        stack = list(roots)
        while stack:
            i = stack.pop()
            if i in needed or not self.inner[i]:
                continue
            needed.add(i)
            if self._kept(i, phase) is None:
                stack += arguments(self.spec.nodes[i])
        return sorted(needed)

    # --- reductions -------------------------------------------------------------------------

    def _cell(self, start: Vector) -> Any:
        cell = cgutils.alloca_once(self.builder, start.value.type)
        self.builder.store(start.value, cell)
        return cell

    def _start_of(self, i: int) -> Vector:
        """Return what a reduction begins with: the value that changes nothing."""
        kind, dtype = self.spec.nodes[i][1], self.dtypes[i]
        if kind == "sum":
            return self.code.constant(_nothing(dtype), dtype)
        if dtype == BOOL:
            return self.code.constant(kind == "min", dtype)
        if dtype.kind == "f":
            return self.code.constant(-np.inf if kind == "max" else np.inf, dtype)
        info = np.iinfo(dtype)
        return self.code.constant(info.min if kind == "max" else info.max, dtype)

    def _accumulate(self, cell: Any, i: int, value: Vector, kind: str | None = None) -> None:
        total = Vector(self.code, self.builder.load(cell), value.dtype)
        both = joined(kind or self.spec.nodes[i][1], total, value)
        self.builder.store(both.value, cell)

    def _across(self, total: Vector, kind: str) -> Vector:
        """Reduce the lanes to one, and put the result into all."""
        lanes = self.spec.lanes
        index = ir.VectorType(ir.IntType(32), lanes)
        half = lanes // 2
        while half:
            order = ir.Constant(index, [i ^ half for i in range(lanes)])
            moved = self.builder.shuffle_vector(total.value, total.value, order)
            total = joined(kind, total, Vector(self.code, moved, total.dtype))
            half //= 2
        return total


def _nothing(dtype: DType) -> float:
    """Return what a sum begins with: 0.0 would turn a sum of -0.0 into 0.0."""
    return -0.0 if dtype.kind == "f" else 0
