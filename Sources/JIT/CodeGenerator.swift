// CodeGenerator.swift: LLVM as a service: optimises a module and makes an object of it. Used by the compile
// thread alone; made when the first function is compiled.

import CLLVM
import Glibc
import CMachine
import Machine

struct CompileError: Error { let text: String }

final class CodeGenerator {
    let cpu: String
    let features: String
    private let machine: LLVMTargetMachineRef
    private let options: LLVMPassBuilderOptionsRef
    private let layout: LLVMTargetDataRef
    private let triple: String

    /// Passes for code that is tail calls between small functions: registers, then values, then loops. What `early-cse` has
    /// folded is no work for `gvn`, which takes a quadratic time for many tests of one term.
    private static let passes = """
        function(mem2reg,early-cse,instcombine<no-verify-fixpoint>,simplifycfg,tailcallelim,loop-mssa(loop-rotate,licm),gvn,\
        instcombine<no-verify-fixpoint>,dse,simplifycfg)
        """

    init() throws(CompileError) {
        if let problem = llvm_bind() { throw CompileError(text: String(cString: problem)) }
        LLVMInstallFatalErrorHandler(JIT.onFatalError)
        #if arch(x86_64)
        LLVMInitializeX86TargetInfo()
        LLVMInitializeX86Target()
        LLVMInitializeX86TargetMC()
        LLVMInitializeX86AsmPrinter()
        LLVMInitializeX86AsmParser()
        #else
        LLVMInitializeAArch64TargetInfo()
        LLVMInitializeAArch64Target()
        LLVMInitializeAArch64TargetMC()
        LLVMInitializeAArch64AsmPrinter()
        #endif
        // Assembly is for people. Domain reassignment is for vectors, which we have none of, and quadratic.
        #if arch(x86_64)
        let texts = ["enigma", "-x86-asm-syntax=intel", "-disable-x86-domain-reassignment"]
        #else
        let texts = ["enigma"]
        #endif
        var words: [UnsafePointer<CChar>?] = texts.map { UnsafePointer(strdup($0)!) }
        LLVMParseCommandLineOptions(Int32(words.count), &words, nil)
        triple = Self.take(LLVMGetDefaultTargetTriple())
        cpu = Self.take(LLVMGetHostCPUName())
        features = Self.take(LLVMGetHostCPUFeatures())
        var target: LLVMTargetRef?
        var message: UnsafeMutablePointer<CChar>?
        if LLVMGetTargetFromTriple(triple, &target, &message) != 0 { throw CompileError(text: Self.take(message)) }
        guard
            let machine = LLVMCreateTargetMachine(
                target, triple, cpu, features, LLVMCodeGenLevelDefault, LLVMRelocPIC, LLVMCodeModelSmall)
        else { throw CompileError(text: "no target machine for \(triple)") }
        self.machine = machine
        LLVMSetTargetMachineAsmVerbosity(machine, 1)
        layout = LLVMCreateTargetDataLayout(machine)
        options = LLVMCreatePassBuilderOptions()
    }

    private static func take(_ text: UnsafeMutablePointer<CChar>?) -> String {
        guard let text else { return "" }
        defer { LLVMDisposeMessage(text) }
        return String(cString: text)
    }

    private static func text(_ error: LLVMErrorRef) -> String {
        let message = LLVMGetErrorMessage(error)
        defer { LLVMDisposeErrorMessage(message) }
        return message.map { String(cString: $0) } ?? "error"
    }

    // MARK: Steps

    /// Tells the module what it is compiled for.
    func prepare(_ module: LLVMModuleRef) {
        LLVMSetTarget(module, triple)
        LLVMSetModuleDataLayout(module, layout)
    }

    func verify(_ module: LLVMModuleRef) throws(CompileError) {
        var message: UnsafeMutablePointer<CChar>?
        let isBad = LLVMVerifyModule(module, LLVMReturnStatusAction, &message) != 0
        let text = Self.take(message)
        if isBad { throw CompileError(text: text) }
    }

    func optimise(_ module: LLVMModuleRef) throws(CompileError) {
        if let error = LLVMRunPasses(module, Self.passes, machine, options) { throw CompileError(text: Self.text(error)) }
    }

    func text(_ module: LLVMModuleRef) -> String { Self.take(LLVMPrintModuleToString(module)) }

    func assembly(_ module: LLVMModuleRef) throws(CompileError) -> String {
        var message: UnsafeMutablePointer<CChar>?
        var buffer: LLVMMemoryBufferRef?
        let copy = LLVMCloneModule(module)
        defer { LLVMDisposeModule(copy) }
        if LLVMTargetMachineEmitToMemoryBuffer(machine, copy, LLVMAssemblyFile, &message, &buffer) != 0 {
            throw CompileError(text: Self.take(message))
        }
        defer { LLVMDisposeMemoryBuffer(buffer) }
        return String(cString: LLVMGetBufferStart(buffer))
    }

    /// Native code of the module, as an object file.
    func object(_ module: LLVMModuleRef) throws(CompileError) -> LLVMMemoryBufferRef {
        var message: UnsafeMutablePointer<CChar>?
        var buffer: LLVMMemoryBufferRef?
        if LLVMTargetMachineEmitToMemoryBuffer(machine, module, LLVMObjectFile, &message, &buffer) != 0 {
            throw CompileError(text: Self.take(message))
        }
        return buffer!
    }
}
