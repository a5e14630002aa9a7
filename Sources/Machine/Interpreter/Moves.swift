// Moves.swift: register moves and initialisation.

import CMachine
import Terms

@inline(__always) func op_move_xx(_ m: Registers) {
    m.setX(m.packed(1), m.x(m.packed(0)))
    m.next(2)
}

@inline(__always) func op_move_xy(_ m: Registers) {
    m.setY(m.packed(1), m.x(m.packed(0)))
    m.next(2)
}

@inline(__always) func op_move_yx(_ m: Registers) {
    m.setX(m.packed(1), m.y(m.packed(0)))
    m.next(2)
}

@inline(__always) func op_move_yy(_ m: Registers) {
    m.setY(m.packed(1), m.y(m.packed(0)))
    m.next(2)
}

@inline(__always) func op_move_cx(_ m: Registers) {
    m.setX(m.packed(0), Term(raw: m.word(2)))
    m.next(3)
}

@inline(__always) func op_move_cy(_ m: Registers) {
    m.setY(m.packed(0), Term(raw: m.word(2)))
    m.next(3)
}

@inline(__always) func op_move2_xy(_ m: Registers) {
    m.setY(m.packed(1), m.x(m.packed(0)))
    m.setY(m.packed(3), m.x(m.packed(2)))
    m.next(2)
}

@inline(__always) func op_move2_yx(_ m: Registers) {
    m.setX(m.packed(1), m.y(m.packed(0)))
    m.setX(m.packed(3), m.y(m.packed(2)))
    m.next(2)
}

@inline(__always) func op_move2_xx(_ m: Registers) {
    m.setX(m.packed(1), m.x(m.packed(0)))
    m.setX(m.packed(3), m.x(m.packed(2)))
    m.next(2)
}

@inline(__always) func op_swap_xx(_ m: Registers) {
    let first = m.x(m.packed(0))
    m.setX(m.packed(0), m.x(m.packed(1)))
    m.setX(m.packed(1), first)
    m.next(2)
}

@inline(__always) func op_swap(_ m: Registers) {
    let first = m.source(m.word(1))
    m.store(m.word(1), m.source(m.word(2)))
    m.store(m.word(2), first)
    m.next(3)
}

@inline(__always) func op_init_y(_ m: Registers) {
    m.setY(m.packed(0), .nil)
    m.next(2)
}

@inline(__always) func op_init_yregs(_ m: Registers) {
    let count = m.int(1)
    for i in 0..<count { m.setY(m.int(2 &+ i), .nil) }
    m.next(2 &+ count)
}
