// FrameStack.swift: the explicit stack of walks whose entries are structures (decoding, encoding, printing), in place
// of native recursion. Its depth is bounded by memory only.

import Glibc

struct FrameStack<Item: BitwiseCopyable>: ~Copyable {
    private(set) var base: UnsafeMutablePointer<Item>
    private(set) var count = 0
    private var capacity: Int

    init(capacity: Int = 32) {
        self.capacity = capacity
        base = FrameStack.room(nil, capacity)
    }

    deinit { free(base) }

    private static func room(_ old: UnsafeMutablePointer<Item>?, _ capacity: Int) -> UnsafeMutablePointer<Item> {
        let size = capacity * MemoryLayout<Item>.stride
        guard let memory = realloc(old, size) else { outOfMemory(size) }
        return memory.assumingMemoryBound(to: Item.self)
    }

    var isEmpty: Bool { count == 0 }

    /// The newest item, in place; valid until the next push. Requires: not empty.
    var top: UnsafeMutablePointer<Item> { base + (count &- 1) }

    mutating func push(_ item: Item) {
        if count == capacity {
            capacity *= 2
            base = FrameStack.room(base, capacity)
        }
        (base + count).initialize(to: item)
        count &+= 1
    }

    /// Requires: not empty.
    mutating func pop() -> Item {
        count &-= 1
        return base[count]
    }

    mutating func drop() { count &-= 1 }
}
