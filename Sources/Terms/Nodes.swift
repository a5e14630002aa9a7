// Nodes.swift: the identities of nodes that pids, ports and references of other nodes point at, interned by name and
// creation and never freed. Reading the list takes no lock; adding takes `lock`.

public import CMachine

public enum Nodes {
    /// This node: `nonode@nohost` with creation 0 until it is made alive. Replaced as a whole under `lock`.
    nonisolated(unsafe) public private(set) static var local: Ref<NodeEntry>! = nil
    nonisolated(unsafe) private static var first: UInt64 = 0
    nonisolated(unsafe) private static var lock = Lock()

    /// Makes the local node. Call once at boot, after the atom table.
    public static func boot() {
        if local == nil { local = intern(name: Atoms.nonode_nohost, creation: 0) }
    }

    /// The node with this name and creation, made if need be. Requires: `name` is an atom.
    public static func intern(name: Term, creation: UInt32) -> Ref<NodeEntry> {
        if let entry = find({ $0.pointee.name == name && $0.pointee.creation == creation }) { return entry }
        vm_lock(&lock)
        defer { vm_unlock(&lock) }
        if let entry = find({ $0.pointee.name == name && $0.pointee.creation == creation }) { return entry }
        let entry = Ref<NodeEntry>.allocate(capacity: 1)
        entry.initialize(
            to: NodeEntry(
                next: Ref(bitPattern: UInt(first)), name: name, creation: creation,
                channel: UInt32(truncatingIfNeeded: name.atomIndex)))
        vm_store_release(&first, UInt64(UInt(bitPattern: entry)))
        return entry
    }

    /// The node that pids printed as `<channel.…>` belong to.
    public static func find(channel: UInt32) -> Ref<NodeEntry>? {
        channel == 0 ? local : find { $0.pointee.channel == channel }
    }

    /// Gives the local node its name and creation (0 and `nonode@nohost` when it stops being alive).
    public static func setLocal(name: Term, creation: UInt32) {
        local = intern(name: name, creation: creation)
    }

    public static func isLocal(name: Term, creation: UInt32) -> Bool {
        name == local.pointee.name && creation == local.pointee.creation
    }

    private static func find(_ matches: (Ref<NodeEntry>) -> Bool) -> Ref<NodeEntry>? {
        var next = Ref<NodeEntry>(bitPattern: UInt(vm_load_acquire(&first)))
        while let entry = next {
            if matches(entry) { return entry }
            next = entry.pointee.next
        }
        return nil
    }
}

extension Term {
    /// The first number of the printed form of a pid, port or reference. Requires: one of these.
    var channel: UInt32 {
        guard isBoxed, subtag >= Subtag.externalPid else { return 0 }
        let node = externalNode
        return node.pointee.name == Nodes.local.pointee.name ? 0 : node.pointee.channel
    }

    /// The node of a pid, port or reference. Requires: one of these.
    public var node: Ref<NodeEntry> { isBoxed && subtag >= Subtag.externalPid ? externalNode : Nodes.local }

    /// Number (15 bits when local) and serial of a pid. Requires: isPid.
    public var pidNumbers: (number: UInt32, serial: UInt32) {
        if isLocalPid { return (UInt32(idData & 0x7FFF), UInt32(truncatingIfNeeded: idData >> 15)) }
        let data = pointer[2]
        return (UInt32(truncatingIfNeeded: data), UInt32(truncatingIfNeeded: data >> 32))
    }

    /// Requires: isPort.
    public var portNumber: UInt64 { isLocalPort ? idData : pointer[2] }

    /// The 32-bit words of a reference, word 0 (printed last) first. Requires: isReference.
    ///
    /// Word 4 of an external reference holds its number 4 and, above, how many numbers it has beyond three; so it is 0
    /// for every reference of three numbers.
    var referenceWords: (count: Int, words: (UInt32, UInt32, UInt32, UInt32, UInt32)) {
        func low(_ word: UInt64) -> UInt32 { UInt32(truncatingIfNeeded: word) }
        func high(_ word: UInt64) -> UInt32 { UInt32(truncatingIfNeeded: word >> 32) }
        let (a, b) = referenceNumbers
        guard subtag == Subtag.externalReference else { return (3, (low(a), high(a), low(b), 0, 0)) }
        let extra = pointer[4]
        return (3 + Int(Int32(bitPattern: high(extra))), (low(a), high(a), low(b), high(b), low(extra)))
    }
}

extension UnsafeMutablePointer where Pointee == Heap {
    /// Requires: the numbers of a local pid fit 15 and 13 bits.
    public func pid(node: Ref<NodeEntry>, number: UInt32, serial: UInt32) -> Term {
        if node == Nodes.local { return .localPid(UInt64(number) | UInt64(serial) << 15) }
        return external(Subtag.externalPid, node, UInt64(number) | UInt64(serial) << 32)
    }

    /// Requires: the number of a local port fits 28 bits.
    public func port(node: Ref<NodeEntry>, number: UInt64) -> Term {
        node == Nodes.local ? .localPort(number) : external(Subtag.externalPort, node, number)
    }

    private func external(_ subtag: UInt64, _ node: Ref<NodeEntry>, _ data: UInt64) -> Term {
        let object = allocate(4)
        object[0] = Header.make(3, subtag)
        object[1] = UInt64(UInt(bitPattern: node))
        object[2] = data
        object[3] = 0
        return .boxed(object)
    }

    /// A reference of this node with these number words (Boxed.swift); no alias, not magic.
    public func reference(_ numbers: (UInt64, UInt64)) -> Term {
        if numbers.0 & Layout.aliasMark != 0 { return aliasReference(numbers) }
        let object = allocate(Layout.referenceWords)
        object[0] = Header.make(Layout.referenceWords - 1, Subtag.reference)
        object[1] = numbers.0
        object[2] = numbers.1
        return .boxed(object)
    }

    /// A reference that is (or was) an alias: the pid it stands for is part of its numbers, so that it is still one when
    /// it comes back from bytes or text.
    private func aliasReference(_ numbers: (UInt64, UInt64)) -> Term {
        let object = allocate(Layout.referenceWords + 1)
        object[0] = Header.make(Layout.referenceWords, Subtag.reference)
        object[1] = numbers.0
        object[2] = numbers.1
        object[3] = Term.localPid(numbers.1 & 0xFFF_FFFF).raw
        return .boxed(object)
    }

    /// A reference of another node. `words`: its `count` numbers (1...5), word 0 first.
    public func externalReference(node: Ref<NodeEntry>, words: UnsafePointer<UInt32>, count: Int) -> Term {
        let object = allocate(5)
        object[0] = Header.make(4, Subtag.externalReference)
        object[1] = UInt64(UInt(bitPattern: node))
        func word(_ index: Int) -> UInt64 { index < count ? UInt64(words[index]) : 0 }
        object[2] = word(0) | word(1) << 32
        object[3] = word(2) | word(3) << 32
        object[4] = word(4) | UInt64(UInt32(bitPattern: Int32(count - 3))) << 32
        return .boxed(object)
    }
}
