// ObjectSymbols.swift: the functions in an object file that LLVM has made: names, places and sizes.

import CLLVM

struct ObjectSymbols {
    struct Symbol {
        let name: String
        /// From the start of the code.
        let offset: UInt64
        let size: UInt64

        /// It is native code of the Erlang function of that name.
        func belongs(to function: String) -> Bool { name == function || name.hasPrefix(function + " ") }
    }

    private(set) var list: [Symbol] = []

    init(_ object: LLVMMemoryBufferRef) throws(CompileError) {
        var message: UnsafeMutablePointer<CChar>?
        guard let file = LLVMCreateBinary(object, nil, &message) else {
            defer { LLVMDisposeMessage(message) }
            throw CompileError(text: message.map { String(cString: $0) } ?? "no object file")
        }
        defer { LLVMDisposeBinary(file) }
        let symbols = LLVMObjectFileCopySymbolIterator(file)
        defer { LLVMDisposeSymbolIterator(symbols) }
        while LLVMObjectFileIsSymbolIteratorAtEnd(file, symbols) == 0 {
            let size = LLVMGetSymbolSize(symbols)
            if size > 0, let name = LLVMGetSymbolName(symbols) {
                list.append(Symbol(name: String(cString: name), offset: LLVMGetSymbolAddress(symbols), size: size))
            }
            LLVMMoveToNextSymbol(symbols)
        }
        list.sort { $0.offset < $1.offset }
    }

    var codeBytes: Int { list.last.map { Int($0.offset + $0.size) } ?? 0 }

    /// Where the code starts, if `symbol` is at `address`.
    func base(of symbol: String, at address: UInt64) -> UInt64 {
        address - (list.first { $0.name == symbol }?.offset ?? 0)
    }

    /// Bytes of the native functions that belong to an Erlang function.
    func bytes(of function: String) -> Int {
        list.reduce(0) { $0 + ($1.belongs(to: function) ? Int($1.size) : 0) }
    }
}
