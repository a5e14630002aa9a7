// LinkerTests.swift: object files put into memory and run; damaged ones are refused, or at least do not trap.

import Glibc
import TestSupport
import Testing

@testable import JIT

/// All kinds of references that LLVM makes: to itself, to constants by address and by value, to data, to libc.
private let source = """
    .text
    .globl sum, copy, where
    sum:
        mov k0@GOTPCREL(%rip), %rax
        movq k1@GOTPCREL(%rip), %r11
        cmp k2@GOTPCREL(%rip), %rdi
        je 1f
        add %r11, %rax
    1:  call inner
        ret
    inner:
        add data(%rip), %rax
        ret
    copy:
        sub $8, %rsp
        call memcpy@PLT
        add $8, %rsp
        ret
    where:
        mov pointer(%rip), %rax
        ret
    .data
    .balign 64
    data: .quad 7
    pointer: .quad data
    delta: .quad sum - .
    .balign 16
    t0: .zero 32
    .bss
    .balign 32
    room: .zero 100
    .section .note.GNU-stack,"",@progbits

    """

/// Assembled once.
private let object: [UInt8]? = {
    let base = "/tmp/enigma-linker-\(getpid())"
    defer { for suffix in [".s", ".o"] { unlink(base + suffix) } }
    guard let file = fopen(base + ".s", "w") else { return nil }
    fputs(source, file)
    fclose(file)
    guard system("as -o \(base).o \(base).s") == 0 else { return nil }
    return readFile(base + ".o")
}()

private func link(
    _ object: [UInt8], _ constants: [UInt64], tables: [[UInt64]] = [], _ wanted: [String]
) throws(LinkError) -> (code: NativeCode, addresses: [UInt64]) {
    let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: object.count, alignment: 8)
    bytes.copyBytes(from: object)
    defer { bytes.deallocate() }
    return try Linker.link(UnsafeRawBufferPointer(bytes), Symbols(constants: constants, tables: tables), wanted)
}

private typealias Call1 = @convention(c) (UInt64) -> UInt64
private typealias Call3 = @convention(c) (UnsafeMutableRawPointer, UnsafeRawPointer, Int) -> UnsafeMutableRawPointer

@Test func codeIsLinkedWithConstants() throws {
    let object = try #require(object)
    // Constants that fit an operand of an instruction, and that do not, negative ones too.
    for constants: [UInt64] in [[1, 2, 3], [1 << 40, 1 << 41, 1 << 42], [.max, .max - 1, .max - 2]] {
        let (code, addresses) = try link(
            object, constants, tables: [[9, 4]], ["sum", "copy", "where", "data", "t0", "room", "delta"])
        defer { code.free() }
        let sum = unsafeBitCast(addresses[0], to: Call1.self)
        #expect(sum(constants[2]) == constants[0] &+ 7)
        #expect(sum(constants[2] &+ 1) == constants[0] &+ constants[1] &+ 7)
        let copy = unsafeBitCast(addresses[1], to: Call3.self)
        var target = 0
        withUnsafeBytes(of: 42) { _ = copy(&target, $0.baseAddress!, 8) }
        #expect(target == 42)
        #expect(unsafeBitCast(addresses[2], to: Call1.self)(0) == addresses[3] && addresses[3] % 64 == 0)
        // Rows in the order of their values, each with its place in the list.
        let table = UnsafePointer<UInt64>(bitPattern: UInt(addresses[4]))!
        #expect((0..<4).map { table[$0] } == [4, 1, 9, 0])
        let delta = UnsafePointer<UInt64>(bitPattern: UInt(addresses[6]))!
        #expect(addresses[6] &+ delta.pointee == addresses[0])
        let room = UnsafePointer<UInt8>(bitPattern: UInt(addresses[5]))!
        #expect((0..<100).allSatisfy { room[$0] == 0 })
    }
}

@Test func unknownNamesAreErrors() throws {
    let object = try #require(object)
    #expect(throws: LinkError.self) { try link(object, [1, 2, 3], ["nowhere"]) }
    #expect(throws: LinkError.self) { try link(object, [1, 2], ["sum"]) }
    #expect(throws: LinkError.self) { try link([], [1, 2, 3], ["sum"]) }
}

@Test func damagedObjectsDoNotTrap() throws {
    let object = try #require(object)
    var random = TestRandom(state: 11)
    var refused = 0
    func tryDamaged(_ bytes: [UInt8]) {
        do throws(LinkError) {
            try link(bytes, [1, 1 << 40, 3], tables: [[9, 4]], ["sum", "copy"]).code.free()
        } catch {
            refused += 1
        }
    }
    for offset in object.indices.dropLast() {
        // Extreme numbers, and the section of absolute symbols.
        for value: [UInt8] in [[0], [0x7F], [0x80], [0xFF], [0xF1, 0xFF]] {
            var damaged = object
            damaged.replaceSubrange(offset..<offset + value.count, with: value)
            tryDamaged(damaged)
        }
    }
    for _ in 0..<2000 {
        var damaged = object
        damaged.removeLast(Int.random(in: 0..<object.count / 4, using: &random))
        for _ in 0..<Int.random(in: 1...4, using: &random) {
            damaged[Int.random(in: 0..<damaged.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
        }
        tryDamaged(damaged)
    }
    #expect(refused > 1000 && refused < object.count * 5)
}
