// LoadedModule.swift: one generation of a module's code, as the decoder and the code BIFs see it. Everything in it is
// constant after `prepare`, except what the decoder adds under `lock` and the entries that calls go through.
//
// A purge frees what only running code needs (`freeCode`). Stack traces may name the functions, their locations and the
// module long after; it is freed when no process has such a trace any more (LiteralReleases.swift).

public import BeamFile
public import CMachine
import Glibc
public import Terms

public final class LoadedModule: @unchecked Sendable {
    public struct ExportRow {
        public let export: Ref<Export>
        public let function: Ref<Function>
    }

    /// Generations in memory. Atomic.
    nonisolated(unsafe) private static var live: UInt64 = 0
    public static var liveCount: Int { Int(vm_load_relaxed(&live)) }

    public let name: Term
    /// By index of the Code chunk's operands: 0 is [].
    public let atoms: Ref<Term>
    public let imports: UnsafeMutablePointer<Ref<Export>>
    public let importCount: Int
    /// Constants by literal index.
    public let literals: Ref<Term>
    public let literalCount: Int
    /// The functions in the order of the code.
    public let functions: Ref<Function>
    public let functionCount: Int
    /// By label number.
    public let labels: UnsafeMutablePointer<CodeIndex.Label>
    public let labelCount: Int
    /// By fun index.
    public let funs: UnsafeMutablePointer<Ref<FunEntry>>
    public let funFunctions: UnsafeMutablePointer<Ref<Function>>
    public let funCount: Int
    /// The exported functions.
    public let exports: [ExportRow]
    public let lines: LineTable
    /// Empty if the file has none: then the hints of operands mean nothing.
    public let types: [TypeEntry]
    /// The function to run before the module becomes current.
    public let onLoad: Ref<Function>?
    /// External terms as they stand in the file, or nil.
    public let attributes: [UInt8]?
    public let compileInfo: [UInt8]?
    public let md5: [UInt8]

    /// Instructions, and the text that bs_put_string and bs_match_string name. Empty after a purge.
    public private(set) var code: UnsafeRawBufferPointer
    public private(set) var strings: UnsafeRawBufferPointer

    /// Guards decoding: the arena, and the entries of functions.
    private var lock = Lock()
    private var arena = CodeArena(firstBlock: 512)
    private var locations = CodeArena(firstBlock: 32)
    private var literalBlock: Words?
    private var literalWords = 0
    private var literalOffHeap = OffHeapList()
    /// Export of each exported function, by function index.
    private let exportOf: UnsafeMutablePointer<Ref<Export>?>
    private var hasLeftFuns = false
    /// It is, or was, in the module table. Under the code-modification lock.
    private(set) var isPublished = false

    /// Reads a .beam file. The system does not change, except that exports and fun entries it names exist afterwards.
    public static func prepare(
        _ bytes: UnsafeRawBufferPointer, asPreloaded: Bool = false
    ) throws(LoadError) -> LoadedModule {
        let file = try BeamFile(bytes, asPreloaded: asPreloaded)
        let index = try CodeIndex(file)
        let atoms = try internAtoms(file)
        let literals: PreparedLiterals
        do { literals = try PreparedLiterals(file) } catch {
            atoms.deallocate()
            throw error
        }
        return LoadedModule(file, index, atoms, literals)
    }

    private init(_ file: BeamFile, _ index: CodeIndex, _ atoms: Ref<Term>, _ prepared: PreparedLiterals) {
        name = atoms[1]
        self.atoms = atoms
        importCount = file.imports.count
        imports = .allocate(capacity: max(importCount, 1))
        for (row, item) in file.imports.enumerated() {
            (imports + row).initialize(to: Exports.findOrMake(atoms[item.module], atoms[item.function], item.arity))
        }
        literals = prepared.terms
        literalCount = prepared.count
        literalBlock = prepared.block
        literalWords = prepared.words
        literalOffHeap = prepared.offHeap
        functionCount = index.functions.count
        functions = .allocate(capacity: functionCount)
        labelCount = index.labels.count
        labels = .allocate(capacity: labelCount)
        labels.initialize(from: index.labels, count: labelCount)
        exportOf = .allocate(capacity: functionCount)
        exportOf.initialize(repeating: nil, count: functionCount)
        var rows: [ExportRow] = []
        for item in file.exports {
            let function = Int(index.labels[item.label].function)
            let export = Exports.findOrMake(atoms[1], atoms[item.function], item.arity)
            exportOf[function] = export
            rows.append(ExportRow(export: export, function: functions + function))
        }
        exports = rows
        lines = file.lines
        types = file.types
        onLoad = index.onLoad.map { [functions] in functions + $0 }
        attributes = file.attributes.map { [UInt8]($0) }
        compileInfo = file.compileInfo.map { [UInt8]($0) }
        md5 = file.container.md5()
        code = copyBytes(file.code)
        strings = copyBytes(file.strings)
        funCount = file.lambdas.count
        funs = .allocate(capacity: max(funCount, 1))
        funFunctions = .allocate(capacity: max(funCount, 1))
        for (row, lambda) in file.lambdas.enumerated() {
            (funs + row).initialize(
                to: FunEntries.findOrMake(
                    atoms[1], uniq: md5, index: UInt32(row), oldUniq: lambda.oldUniq,
                    arity: lambda.arity - lambda.freeCount, freeCount: lambda.freeCount, forModule: true))
            (funFunctions + row).initialize(to: functions + Int(index.labels[lambda.label].function))
        }
        _ = vm_fetch_add(&Self.live, 1)
        let hasNifs = isStaticNifLibrary(name)
        for row in 0..<functionCount { fillFunction(row, index.functions[row], hasNifs: hasNifs) }
        JITHooks.prepared?(self)
    }

    private func fillFunction(_ row: Int, _ source: CodeIndex.Function, hasNifs: Bool) {
        let function = functions + row
        memset(function, 0, MemoryLayout<Function>.stride)
        function.pointee.module = Unmanaged.passUnretained(self).toOpaque()
        function.pointee.moduleName = name
        function.pointee.name = atoms[source.name]
        function.pointee.arity = UInt32(source.arity)
        function.pointee.index = UInt32(row)
        function.pointee.codeStart = UInt32(source.start)
        function.pointee.codeEnd = UInt32(source.end)
        function.pointee.firstLabel = UInt32(source.firstLabel)
        function.pointee.labelCount = UInt32(source.labelCount)
        function.pointee.calls = JITHooks.threshold
        function.pointee.stub.0 = handlerSlots.decodeFunction
        function.pointee.stub.1 = UInt64(UInt(bitPattern: function))
        // A native function of that name wins, also for calls within the module.
        let export = hasNifs
            ? Exports.native(name, function.pointee.name, source.arity, isExported: exportOf[row] != nil)
            : Exports.find(name, function.pointee.name, source.arity)
        if let export, export.isNative {
            function.pointee.entry = export.stubAddress
        } else {
            function.pointee.entry = function.stubAddress
        }
    }

    deinit {
        _ = vm_fetch_sub(&Self.live, 1)
        freeCode()
        leaveFuns()
        locations.free()
        functions.deallocate()
        atoms.deallocate()
        imports.deallocate()
        labels.deallocate()
        funs.deallocate()
        funFunctions.deallocate()
        exportOf.deallocate()
    }

    // MARK: For the decoder

    /// The module of a function.
    public static func of(_ function: UnsafePointer<Function>) -> LoadedModule {
        Unmanaged<LoadedModule>.fromOpaque(function.pointee.module).takeUnretainedValue()
    }
    public static func of(_ function: Ref<Function>) -> LoadedModule { of(UnsafePointer(function)) }

    /// Function and code offset of label `number`. Requires: a label of the module's code.
    public func label(_ number: Int) -> (function: Ref<Function>, offset: Int) {
        (functions + Int(labels[number].function), Int(labels[number].offset))
    }

    /// Instructions of `function`, from the label before its func_info.
    public func reader(_ function: Ref<Function>) -> InstructionReader {
        InstructionReader(code, from: Int(function.pointee.codeStart), to: Int(function.pointee.codeEnd))
    }

    /// Runs `body` while no other thread decodes functions of this module.
    public func withDecodingLock<Result>(_ body: () -> Result) -> Result {
        vm_lock(&lock)
        defer { vm_unlock(&lock) }
        return body()
    }

    /// Words for threaded code, freed when the module is purged. Requires: the decoding lock.
    public func allocateCode(_ words: Int) -> Words { arena.allocate(words) }

    /// Gives back the last words of the latest `allocateCode`. Requires: the decoding lock.
    public func giveBackCode(_ words: Int) { arena.giveBack(words) }

    /// A Location record, kept as long as anything may name it. Requires: the decoding lock.
    public func allocateLocation() -> Ref<Location> {
        let words = locations.allocate(MemoryLayout<Location>.stride / 8)
        let location = UnsafeMutableRawPointer(words).assumingMemoryBound(to: Location.self)
        location.initialize(to: Location())
        return location
    }

    /// Makes calls of `function` continue at `entry`, through its export and its fun entries too.
    public func setEntry(_ function: Ref<Function>, _ entry: CodePointer) {
        withExportsLocked {
            if Breakpoints.changeEntry(function, entry) { return }
            function.publish(entry: entry)
            guard let export = exportOf[Int(function.pointee.index)] else { return }
            // Only while the export leads to this function: a newer generation may have taken its place.
            if export.pointee.function == function, !export.isNative { export.publish(entry: entry) }
        }
    }

    /// The export that this module has for one of its functions.
    func export(of function: Ref<Function>) -> Ref<Export>? { exportOf[Int(function.pointee.index)] }

    // MARK: Lines

    /// File name (a string) and line of a line item; nil if it says nothing.
    public func sourcePosition(_ heap: Ref<Heap>, _ item: Int) -> (file: Term, line: Int)? {
        guard item > 0, item < lines.items.count else { return nil }
        let position = lines.items[item]
        let file = Int(position.file)
        if file == 0 || lines.files[file - 1].isEmpty {
            return (heap.string(name.atomText + ".erl"), Int(position.line))
        }
        return (heap.string(String(decoding: lines.files[file - 1], as: UTF8.self)), Int(position.line))
    }

    // MARK: End of life

    func markPublished() { isPublished = true }

    /// `address` lies in the module's threaded code, or is the stub of one of its functions.
    public func containsCode(_ address: UInt) -> Bool {
        address &- UInt(bitPattern: functions) < UInt(functionCount * MemoryLayout<Function>.stride)
            || arena.contains(address)
    }

    /// The decoded function whose code an address lies in.
    func function(at address: UInt) -> Ref<Function>? {
        for index in 0..<functionCount {
            let function = functions + index
            guard let code = function.pointee.code else { continue }
            if address &- UInt(bitPattern: code) < UInt(function.pointee.codeWords) * 8 { return function }
        }
        return nil
    }

    /// The address lies in what stack traces name: the functions and their locations.
    func containsTraceData(_ address: UInt) -> Bool {
        address &- UInt(bitPattern: functions) < UInt(functionCount * MemoryLayout<Function>.stride)
            || locations.contains(address)
    }

    /// A range that holds all of it. Requires: nothing is decoded any more.
    var traceRange: Range<UInt> {
        let start = UInt(bitPattern: functions)
        let end = start + UInt(functionCount * MemoryLayout<Function>.stride)
        guard let range = locations.range else { return start..<end }
        return min(start, range.lowerBound)..<max(end, range.upperBound)
    }

    /// Bytes of memory for `erlang:memory(code)`.
    public var byteCount: Int {
        code.count + strings.count + arena.byteCount + functionCount * MemoryLayout<Function>.stride
            + labelCount * MemoryLayout<CodeIndex.Label>.stride + literalWords * 8
    }

    /// Takes the literals out of the module, to be freed once no process holds any.
    func takeLiterals() -> LiteralArea? {
        guard let block = literalBlock else { return nil }
        defer {
            literalBlock = nil
            literalWords = 0
            literalOffHeap = OffHeapList()
        }
        return LiteralArea(block: block, words: literalWords, offHeap: literalOffHeap)
    }

    /// Frees what only running code needs, as soon as the JIT is done with it; the rest goes when nobody points to it any
    /// more. Requires: no process runs the code or will return to it.
    public func retire() {
        if arena.byteCount > 0, JITHooks.release?(self) == true { return }
        LiteralReleases.add(takeRelease())
    }

    private func takeRelease() -> Releasable {
        let literals = takeLiterals()
        freeCode()
        leaveFuns()
        return Releasable(literals: literals.map { [$0] } ?? [], modules: [self])
    }

    /// The module names its funs no longer.
    private func leaveFuns() {
        guard !hasLeftFuns else { return }
        hasLeftFuns = true
        FunEntries.leave(funs, funCount)
    }

    /// Frees what only running code needs. Requires: no process runs it or will return to it.
    func freeCode() {
        takeLiterals()?.free()
        code.deallocate()
        strings.deallocate()
        code = UnsafeRawBufferPointer(start: nil, count: 0)
        strings = UnsafeRawBufferPointer(start: nil, count: 0)
        arena.free()
    }
}

extension UnsafeMutablePointer where Pointee == Function {
    /// Where `entry` points until the function is decoded.
    public var stubAddress: CodePointer {
        let offset = MemoryLayout<Function>.offset(of: \Function.stub).unsafelyUnwrapped
        return UnsafeRawPointer(self + 0).advanced(by: offset).assumingMemoryBound(to: UInt64.self)
    }
}

private func copyBytes(_ bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
    let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 16)
    copy.copyMemory(from: bytes)
    return UnsafeRawBufferPointer(copy)
}

private func internAtoms(_ file: BeamFile) throws(LoadError) -> Ref<Term> {
    let atoms = Ref<Term>.allocate(capacity: file.atoms.count)
    atoms[0] = .nil
    for index in 1..<file.atoms.count {
        guard let atom = AtomTable.intern(file.atoms[index].bindMemory(to: UInt8.self)) else {
            atoms.deallocate()
            throw LoadError(.badAtom, at: index)
        }
        atoms[index] = atom
    }
    return atoms
}

// MARK: - Literals

/// Literals that belong to nobody any more, until no process holds a pointer to them.
struct LiteralArea: @unchecked Sendable {
    let block: Words
    let words: Int
    let offHeap: OffHeapList

    var range: Range<UInt> { UInt(bitPattern: block)..<UInt(bitPattern: block + words) }

    func free() {
        releaseOffHeap(offHeap)
        Literals.free(block, words: words)
    }
}

/// The decoded literals of a file: one tuple in the literal range, whose elements are the table.
private struct PreparedLiterals {
    let terms: Ref<Term>
    let count: Int
    let block: Words?
    let words: Int
    var offHeap = OffHeapList()

    init(_ file: BeamFile) throws(LoadError) {
        count = file.literals.count
        guard count > 0 else {
            (terms, block, words) = (Ref(bitPattern: 8).unsafelyUnwrapped, nil, 0)
            return
        }
        var scratch = Heap()
        // Twice the encoded size holds all but unusual terms; the rest goes to fragments.
        let room = min((0..<file.literals.count).reduce(0) { $0 + file.literals[$1].count } * 2 + 64, 1 << 20)
        let block = UnsafeMutablePointer<UInt64>.allocate(capacity: room)
        scratch.top = block
        scratch.limit = block + room
        defer { block.deallocate() }
        let table = withUnsafeMutablePointer(to: &scratch) { heap -> (Term, Int?) in
            let (tuple, elements) = heap.makeTuple(file.literals.count)
            elements.initialize(repeating: Term.nil.raw, count: file.literals.count)
            for index in 0..<file.literals.count {
                guard let (term, _) = decodeExternal(heap, bytes: file.literals[index]) else { return (tuple, index) }
                elements[index] = term.raw
            }
            return (tuple, nil)
        }
        // Its block is not its own.
        defer { withUnsafeMutablePointer(to: &scratch) { freeScratch($0) } }
        if let failed = table.1 { throw LoadError(.badLiterals, at: failed) }
        let copy = copyToLiterals(table.0, offHeap: &offHeap)
        self.block = copy.block
        words = copy.words
        terms = Ref(OpaquePointer(copy.term.pointer + 1))
    }
}
